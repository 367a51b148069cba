import type { Answer, Usage } from './build-answer.ts';
import type { Choice } from './build-choice.ts';
import { joinText } from './build-choice.ts';

/** A part of a response body that is written at once: one SSE event, or the whole JSON body. */
export interface Frame {
  bytes: Buffer;
  /** Tokens that a model would have spent on it; they set its time. */
  tokens: number;
}

/** How a stream is written. */
export interface WriteStreamOptions {
  /** `stream_options.include_usage`: `"usage": null` in each chunk, and a last chunk that has it. */
  includeUsage: boolean;
}

/** The `chat.completion` object as one frame, indented by two spaces as OpenAI sends it. */
export function writeJson(answer: Answer, options: { usage: boolean }): Frame[] {
  const body = {
    id: answer.id,
    object: 'chat.completion',
    created: answer.created,
    model: answer.model,
    choices: answer.choices.map((choice, index) => ({
      index,
      message: writeMessage(choice),
      logprobs: null,
      finish_reason: choice.finishReason,
    })),
    ...(options.usage ? { usage: answer.usage } : {}),
    service_tier: 'default',
    system_fingerprint: answer.systemFingerprint,
  };
  return [{ bytes: Buffer.from(JSON.stringify(body, null, 2)), tokens: answer.usage.completion_tokens }];
}

function writeMessage(choice: Choice): object {
  const calls = choice.toolCalls.map((call) => ({
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: joinText(call.arguments) },
  }));
  return {
    role: 'assistant',
    content: calls.length > 0 ? null : joinText(choice.content),
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
    refusal: null,
    annotations: [],
  };
}

/**
 * The `chat.completion.chunk` events in order: per choice a role, one delta per token, a finish reason; then usage if
 * asked for, then `[DONE]`. Choices take turns. Without OpenAI's optional `obfuscation` padding.
 */
export function writeStream(answer: Answer, options: WriteStreamOptions): Frame[] {
  const frames: Frame[] = [];
  const head = {
    id: answer.id,
    object: 'chat.completion.chunk',
    created: answer.created,
    model: answer.model,
    service_tier: 'default',
    system_fingerprint: answer.systemFingerprint,
  };
  const push = (choices: object[], tokens: number, usage: Usage | null): void => {
    const chunk = { ...head, choices, ...(options.includeUsage ? { usage } : {}) };
    frames.push({ bytes: toEvent(JSON.stringify(chunk)), tokens });
  };
  const queues = answer.choices.map((choice) => listDeltas(choice));
  const rounds = Math.max(...queues.map((queue) => queue.length));
  for (let round = 0; round < rounds; round += 1) {
    queues.forEach((queue, index) => {
      const item = queue[round];
      if (!item) return;
      const { delta, tokens, finishReason } = item;
      push([{ index, delta, logprobs: null, finish_reason: finishReason }], tokens, null);
    });
  }
  if (options.includeUsage) push([], 0, answer.usage);
  frames.push({ bytes: toEvent('[DONE]'), tokens: 0 });
  return frames;
}

interface Delta {
  delta: object;
  tokens: number;
  finishReason: Choice['finishReason'] | null;
}

function listDeltas(choice: Choice): Delta[] {
  const content = choice.toolCalls.length > 0 ? null : '';
  const deltas: Delta[] = [
    { delta: { role: 'assistant', content, refusal: null }, tokens: choice.reasoningTokens, finishReason: null },
  ];
  for (const { text, tokens } of choice.content) {
    if (text !== '') deltas.push({ delta: { content: text }, tokens, finishReason: null });
  }
  choice.toolCalls.forEach((call, index) => {
    const opening = { index, id: call.id, type: 'function', function: { name: call.name, arguments: '' } };
    deltas.push({ delta: { tool_calls: [opening] }, tokens: 1, finishReason: null });
    for (const { text, tokens } of call.arguments) {
      const delta = { tool_calls: [{ index, function: { arguments: text } }] };
      deltas.push({ delta, tokens, finishReason: null });
    }
  });
  deltas.push({ delta: {}, tokens: 0, finishReason: choice.finishReason });
  return deltas;
}

/** One server-sent event: WHATWG HTML, "Server-sent events". */
export function toEvent(data: string): Buffer {
  return Buffer.from(`data: ${data}\n\n`);
}
