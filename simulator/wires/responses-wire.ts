import type { Answer } from '../build-answer.ts';
import { joinText, type Choice } from '../build-choice.ts';
import { isObject, parseRequest, type JsonObject } from '../parse-request.ts';
import type { Piece } from '../split-tokens.ts';
import type { Frame } from '../write-frames.ts';
import type { Wire } from './wire.ts';
import { firstOf, midStreamFault, parseBody, toChatBody, toChatContent, typedFrame } from './wire-text.ts';

/** OpenAI's `/v1/responses` (API reference, "Responses"). */
export const responsesWire: Wire = {
  path: '/v1/responses',
  read(body) {
    const { input, instructions, max_output_tokens: limit, model, stream, text, tool_choice, tools } = parseBody(body);
    const first = typeof instructions === 'string' ? [{ role: 'system', content: instructions }] : [];
    const items: unknown[] = Array.isArray(input) ? input : [{ role: 'user', content: input }];
    return parseRequest(
      toChatBody({
        ...{ model, stream, max_completion_tokens: limit, messages: [...first, ...items.map(toMessage)] },
        tools: Array.isArray(tools) ? tools.map(toChatTool) : undefined,
        tool_choice: isObject(tool_choice) ? { type: 'function', function: tool_choice } : tool_choice,
        response_format: toChatFormat(text),
      }),
    );
  },
  write: (answer, { request, usage }) => {
    const items = itemsOf(answer);
    const whole = responseOf(answer, { usage, output: items.map(({ item }) => item) });
    if (request.stream) return writeStream(answer, items, whole);
    return [{ bytes: Buffer.from(JSON.stringify(whole, null, 2)), tokens: answer.usage.completion_tokens }];
  },
  errorFrame: () => {
    const error = { ...midStreamFault, code: 'server_error', param: null };
    return typedFrame({ type: 'error', sequence_number: 0, error });
  },
};

function toMessage(item: unknown): unknown {
  if (!isObject(item)) return item;
  const { arguments: args, call_id, content, name, output, role, type } = item;
  if (type === 'function_call') {
    return {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: call_id, type: 'function', function: { name, arguments: args } }],
    };
  }
  if (type === 'function_call_output') return { role: 'tool', tool_call_id: call_id, content: toChatContent(output) };
  return { role: role ?? 'assistant', content: toChatContent(content) ?? '' };
}

function toChatTool(tool: unknown): unknown {
  return isObject(tool) ? { type: tool.type, function: { name: tool.name, parameters: tool.parameters } } : tool;
}

function toChatFormat(text: unknown): unknown {
  const format = isObject(text) ? text.format : undefined;
  return isObject(format) && format.type === 'json_schema' ? { type: 'json_schema', json_schema: format } : format;
}

interface OutputItem {
  item: JsonObject & { id: string };
  /** What it is streamed as. */
  pieces: readonly Piece[];
}

function itemsOf({ id, choices }: Answer): OutputItem[] {
  const suffix = id.slice('chatcmpl-'.length);
  const { content, toolCalls } = firstOf(choices);
  if (toolCalls.length === 0) {
    const part = { type: 'output_text', text: joinText(content), annotations: [], logprobs: [] };
    const item = { id: `msg_${suffix}`, type: 'message', role: 'assistant', status: 'completed', content: [part] };
    return [{ item, pieces: content }];
  }
  return toolCalls.map((call, index) => ({
    item: {
      ...{ id: `fc_${suffix}${index}`, type: 'function_call', status: 'completed' },
      ...{ call_id: call.id, name: call.name, arguments: joinText(call.arguments) },
    },
    pieces: call.arguments,
  }));
}

function statusOf({ finishReason }: Choice): 'completed' | 'incomplete' {
  return finishReason === 'length' ? 'incomplete' : 'completed';
}

function responseOf(answer: Answer, { output, usage }: { output: object[]; usage: boolean }): JsonObject {
  const status = statusOf(firstOf(answer.choices));
  const { completion_tokens, completion_tokens_details, prompt_tokens, prompt_tokens_details, total_tokens } =
    answer.usage;
  const used = {
    input_tokens: prompt_tokens,
    input_tokens_details: { cached_tokens: prompt_tokens_details.cached_tokens },
    output_tokens: completion_tokens,
    output_tokens_details: { reasoning_tokens: completion_tokens_details.reasoning_tokens },
    total_tokens,
  };
  return {
    ...{ id: answer.id.replace('chatcmpl-', 'resp_'), object: 'response', created_at: answer.created, status },
    ...{ error: null, incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null },
    ...{ instructions: null, metadata: {}, model: answer.model, output, parallel_tool_calls: true },
    ...{ temperature: 1, tool_choice: 'auto', tools: [], top_p: 1, usage: usage ? used : null },
  };
}

function writeStream(answer: Answer, items: readonly OutputItem[], whole: JsonObject): Frame[] {
  const frames: Frame[] = [];
  const push = (type: string, members: JsonObject, tokens = 0): void => {
    frames.push(typedFrame({ type, sequence_number: frames.length, ...members }, tokens));
  };
  const begun = { ...whole, status: 'in_progress', incomplete_details: null, output: [], usage: null };
  push('response.created', { response: begun });
  push('response.in_progress', { response: begun }, firstOf(answer.choices).reasoningTokens);
  items.forEach(({ item, pieces }, index) => {
    const place = { item_id: item.id, output_index: index };
    if (item.type === 'message') streamMessage({ item, pieces }, place, push);
    else streamCall({ item, pieces }, place, push);
    push('response.output_item.done', { output_index: index, item });
  });
  push(`response.${statusOf(firstOf(answer.choices))}`, { response: whole });
  return frames;
}

type Push = (type: string, members: JsonObject, tokens?: number) => void;

function streamMessage({ item, pieces }: OutputItem, place: JsonObject, push: Push): void {
  const part = { type: 'output_text', text: '', annotations: [], logprobs: [] };
  const at = { ...place, content_index: 0 };
  const text = joinText([...pieces]);
  push('response.output_item.added', {
    output_index: place.output_index,
    item: { ...item, status: 'in_progress', content: [] },
  });
  push('response.content_part.added', { ...at, part });
  for (const piece of pieces) {
    if (piece.text !== '') push('response.output_text.delta', { ...at, delta: piece.text, logprobs: [] }, piece.tokens);
  }
  push('response.output_text.done', { ...at, text, logprobs: [] });
  push('response.content_part.done', { ...at, part: { ...part, text } });
}

function streamCall({ item, pieces }: OutputItem, place: JsonObject, push: Push): void {
  push(
    'response.output_item.added',
    { output_index: place.output_index, item: { ...item, status: 'in_progress', arguments: '' } },
    1,
  );
  for (const { text, tokens } of pieces)
    push('response.function_call_arguments.delta', { ...place, delta: text }, tokens);
  push('response.function_call_arguments.done', { ...place, name: item.name, arguments: item.arguments });
}
