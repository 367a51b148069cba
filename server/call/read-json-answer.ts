import type { TokenUsage } from '../../protocol/receipt/call-receipt.ts';
import { readUsage } from '../metering/read-usage.ts';
import { isObject, type JsonObject } from './parse-chat-request.ts';
import { readUpstreamError } from './read-upstream-error.ts';
import { UnusableAnswer } from './router.ts';
import { TransportError, type UpstreamResponse } from './transport.ts';

/** What an answer says of itself, whether it came as JSON or as a stream. */
export interface AnswerFacts {
  /** Null if the provider gave none that can be. */
  usage: TokenUsage | null;
  /** `model` of the answer; null if it names none. */
  model: string | null;
  /** The answer's texts, for an estimate where there is no usage. */
  texts: readonly string[];
}

/** A whole JSON answer. */
export interface JsonAnswer extends AnswerFacts {
  bytes: Buffer;
}

/**
 * Reads a completion's body to its end.
 * @throws TransportError; UnusableAnswer if it is no chat completion.
 */
export async function readJsonAnswer(response: UpstreamResponse, maxBytes: number): Promise<JsonAnswer> {
  const bytes = await readBytes(response.body, maxBytes);
  const value = parseJson(bytes);
  if (!isObject(value) || (value['error'] !== undefined && value['error'] !== null)) {
    throw new UnusableAnswer(readUpstreamError(value, response.status).message);
  }
  const { choices } = value;
  if (!Array.isArray(choices)) throw new UnusableAnswer('the answer has no choices');
  const messages = choices.filter(isObject).map((choice) => choice['message']);
  return {
    bytes,
    usage: readUsage(value['usage']),
    model: typeof value['model'] === 'string' ? value['model'] : null,
    texts: messages.filter(isObject).flatMap(textsOfMessage),
  };
}

/**
 * The texts of a message, or of a stream's delta, that were generated: content, refusal, reasoning (as some providers
 * send it) and arguments of tool calls.
 */
export function textsOfMessage(message: JsonObject): string[] {
  const { content, refusal, reasoning_content: reasoning, tool_calls: calls } = message;
  const texts = [content, refusal, reasoning].filter((text) => typeof text === 'string');
  if (!Array.isArray(calls)) return texts;
  for (const call of calls.filter(isObject)) {
    const called = call['function'] ?? call['custom'];
    if (isObject(called)) texts.push(...Object.values(called).filter((text) => typeof text === 'string'));
  }
  return texts;
}

/**
 * All bytes of a body.
 * @throws TransportError, `truncated` if there are more than `maxBytes`.
 */
export async function readBytes(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) throw new TransportError('truncated', `the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const [only] = chunks;
  if (only && chunks.length === 1) return Buffer.from(only.buffer, only.byteOffset, only.byteLength);
  return Buffer.concat(chunks, length);
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new UnusableAnswer('the answer is not JSON', { cause });
  }
}
