import type { Answer } from '../build-answer.ts';
import { joinText } from '../build-choice.ts';
import { isObject, parseRequest, type JsonObject } from '../parse-request.ts';
import type { Piece } from '../split-tokens.ts';
import { WireError } from '../wire-error.ts';
import type { Frame } from '../write-frames.ts';
import type { Wire } from './wire.ts';
import { firstOf, midStreamFault, parseBody, toChatBody, toChatContent, typedFrame } from './wire-text.ts';

/** Anthropic's `/v1/messages` (API reference, "Messages"). */
export const messagesWire: Wire = {
  path: '/v1/messages',
  read(body) {
    const { max_tokens: limit, messages, model, stop_sequences, stream, system, tool_choice, tools } = parseBody(body);
    if (limit === undefined) throw new WireError({ status: 400, message: 'max_tokens: Field required' });
    const first = system === undefined ? [] : [{ role: 'system', content: toChatContent(system) }];
    const rest = Array.isArray(messages) ? messages.flatMap(toMessages) : [];
    return parseRequest(
      toChatBody({
        ...{ model, stream, stop: stop_sequences, max_tokens: limit, messages: [...first, ...rest] },
        tools: Array.isArray(tools) ? tools.map(toChatTool) : undefined,
        tool_choice: toChatChoice(tool_choice),
      }),
    );
  },
  write: (answer, { request, usage }) => {
    if (request.stream) return writeStream(answer, usage);
    const message = messageOf(
      answer,
      blocksOf(answer).map(({ block }) => block),
    );
    const whole = { ...message, ...(usage && { usage: usageOf(answer) }) };
    return [{ bytes: Buffer.from(JSON.stringify(whole)), tokens: answer.usage.completion_tokens }];
  },
  errorFrame: () => typedFrame({ type: 'error', error: { type: 'api_error', message: midStreamFault.message } }),
};

/** An error as Anthropic's API answers it. */
export function writeMessagesError({ message, status }: WireError): Buffer {
  const type = errorTypes.get(status) ?? (status < 500 ? 'invalid_request_error' : 'api_error');
  return Buffer.from(JSON.stringify({ type: 'error', error: { type, message } }));
}

const errorTypes: ReadonlyMap<number, string> = new Map([
  [401, 'authentication_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [413, 'request_too_large'],
  [429, 'rate_limit_error'],
  [529, 'overloaded_error'],
]);

function toMessages(message: unknown): unknown[] {
  if (!isObject(message)) return [message];
  const { content, role } = message;
  const blocks: unknown[] = Array.isArray(content) ? content : [];
  const results = blocks.filter(isObject).filter(({ type }) => type === 'tool_result');
  if (results.length > 0)
    return results.map((result) => ({ role: 'tool', content: toChatContent(result.content) ?? '' }));
  const calls = blocks.filter(isObject).filter(({ type }) => type === 'tool_use');
  if (calls.length === 0) return [{ role, content: toChatContent(content) }];
  const tool_calls = calls.map(({ id, input, name }) => ({
    ...{ id, type: 'function', function: { name, arguments: JSON.stringify(input) } },
  }));
  return [{ role, content: null, tool_calls }];
}

function toChatTool(tool: unknown): unknown {
  return isObject(tool) ? { type: 'function', function: { name: tool.name, parameters: tool.input_schema } } : tool;
}

function toChatChoice(choice: unknown): unknown {
  if (!isObject(choice)) return undefined;
  if (choice.type === 'tool') return { type: 'function', function: { name: choice.name } };
  return choice.type === 'any' ? 'required' : 'auto';
}

interface Block {
  block: JsonObject;
  pieces: readonly Piece[];
}

function blocksOf({ choices }: Answer): Block[] {
  const { content, toolCalls } = firstOf(choices);
  if (toolCalls.length === 0) return [{ block: { type: 'text', text: joinText(content) }, pieces: content }];
  return toolCalls.map((call) => {
    const input: unknown = JSON.parse(joinText(call.arguments));
    return {
      block: { type: 'tool_use', id: call.id.replace('call_', 'toolu_'), name: call.name, input },
      pieces: call.arguments,
    };
  });
}

const stopReasons = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' } as const;

function messageOf(answer: Answer, content: object[]): JsonObject {
  const { finishReason } = firstOf(answer.choices);
  return {
    ...{ id: answer.id.replace('chatcmpl-', 'msg_'), type: 'message', role: 'assistant', model: answer.model },
    ...{ content, stop_reason: stopReasons[finishReason], stop_sequence: null },
  };
}

/** Half of what is cached was read from the cache, and half is written to it. */
function usageOf({ usage }: Answer): JsonObject & { output_tokens: number } {
  const cached = usage.prompt_tokens_details.cached_tokens;
  const written = cached >> 1;
  return {
    input_tokens: usage.prompt_tokens - cached,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: cached - written,
    output_tokens: usage.completion_tokens,
  };
}

function writeStream(answer: Answer, usage: boolean): Frame[] {
  const used = usageOf(answer);
  const begun = { ...messageOf(answer, []), stop_reason: null, ...(usage && { usage: { ...used, output_tokens: 1 } }) };
  const frames = [typedFrame({ type: 'message_start', message: begun }), typedFrame({ type: 'ping' })];
  blocksOf(answer).forEach(({ block, pieces }, index) => {
    const isText = block.type === 'text';
    const empty = isText ? { ...block, text: '' } : { ...block, input: {} };
    frames.push(typedFrame({ type: 'content_block_start', index, content_block: empty }));
    for (const { text, tokens } of pieces) {
      const delta = isText ? { type: 'text_delta', text } : { type: 'input_json_delta', partial_json: text };
      frames.push(typedFrame({ type: 'content_block_delta', index, delta }, tokens));
    }
    frames.push(typedFrame({ type: 'content_block_stop', index }));
  });
  const { stop_reason, stop_sequence } = messageOf(answer, []);
  const delta = { stop_reason, stop_sequence };
  const counted = usage && { usage: { output_tokens: used.output_tokens } };
  frames.push(typedFrame({ type: 'message_delta', delta, ...counted }), typedFrame({ type: 'message_stop' }));
  return frames;
}
