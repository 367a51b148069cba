import { joinText, type Choice } from '../build-choice.ts';
import type { Answer, Usage } from '../build-answer.ts';
import { parseRequest } from '../parse-request.ts';
import { toEvent, type Frame } from '../write-frames.ts';
import { chatWire } from './chat-wire.ts';
import type { Wire } from './wire.ts';
import { parseBody, toChatBody } from './wire-text.ts';

/** OpenAI's `/v1/completions`: each prompt is a message, and answers are told apart by their index alone. */
export const completionsWire: Wire = {
  path: '/v1/completions',
  read(body) {
    const { model, n, prompt, max_tokens, seed, stop, stream, stream_options } = parseBody(body);
    const prompts: unknown[] = Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt : [prompt];
    const content = prompts.map((one) => ({ role: 'user', content: typeof one === 'string' ? one : String(one) }));
    const choices = (typeof n === 'number' ? n : 1) * prompts.length;
    return parseRequest(
      toChatBody({
        model,
        messages: content,
        n: choices,
        max_tokens: max_tokens ?? 16,
        seed,
        stop,
        stream,
        stream_options,
      }),
    );
  },
  write: (answer, { request, usage }) =>
    request.stream ? writeStream(answer, request.includeUsage && usage) : [writeWhole(answer, usage)],
  errorFrame: chatWire.errorFrame,
};

function headOf({ id, created, model, systemFingerprint }: Answer) {
  return {
    ...{ id: id.replace('chatcmpl-', 'cmpl-'), object: 'text_completion', created, model },
    system_fingerprint: systemFingerprint,
  };
}

function choiceOf(index: number, text: string, finishReason: Choice['finishReason'] | null) {
  return { text, index, logprobs: null, finish_reason: finishReason };
}

function writeWhole(answer: Answer, usage: boolean): Frame {
  const choices = answer.choices.map(({ content, finishReason }, index) =>
    choiceOf(index, joinText(content), finishReason),
  );
  const body = { ...headOf(answer), choices, ...(usage && { usage: answer.usage }) };
  return { bytes: Buffer.from(JSON.stringify(body, null, 2)), tokens: answer.usage.completion_tokens };
}

function writeStream(answer: Answer, includeUsage: boolean): Frame[] {
  const write = (choices: object[], tokens: number, usage: Usage | null): Frame => {
    const chunk = { ...headOf(answer), choices, ...(includeUsage && { usage }) };
    return { bytes: toEvent(JSON.stringify(chunk)), tokens };
  };
  const frames = answer.choices.flatMap(({ content, finishReason }, index) => [
    ...content.map(({ text, tokens }) => write([choiceOf(index, text, null)], tokens, null)),
    write([choiceOf(index, '', finishReason)], 0, null),
  ]);
  if (includeUsage) frames.push(write([], 0, answer.usage));
  return [...frames, { bytes: toEvent('[DONE]'), tokens: 0 }];
}
