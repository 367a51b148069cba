import { isObject, type JsonObject } from '../../protocol/text/json-object.ts';
import { parseJson } from '../../protocol/text/parse-json.ts';
import type { UsageShape } from '../metering/read-usage.ts';
import type { AnswerFacts } from './endpoints/answer-facts.ts';
import type { Endpoint } from './endpoints/endpoint.ts';
import { textsOfCutJson } from './texts-of-cut-json.ts';
import { readUpstreamError } from './read-upstream-error.ts';
import { UnusableAnswer } from './router.ts';
import { TransportError, type UpstreamResponse } from './transport.ts';

/** How deep parts of a content are looked into. */
const maxPartDepth = 3;

/** A JSON answer. */
export interface JsonAnswer extends AnswerFacts {
  bytes: Buffer;
  /** Why the relay broke it off; null if it is whole. */
  cut: TransportError | null;
}

/** How a JSON answer is read. */
export interface JsonAnswerOptions {
  endpoint: Pick<Endpoint, 'readAnswer' | 'textMembers'>;
  maxBytes: number;
  /** How the provider counts. */
  shape?: UsageShape | undefined;
}

/**
 * Reads an answer's body to its end, or to where the relay has to break it off: what was read until then is accepted,
 * since it was generated, and no other deployment need generate it again.
 * @throws TransportError; UnusableAnswer if it is no answer of the endpoint's.
 */
export async function readJsonAnswer(
  response: UpstreamResponse,
  { endpoint, maxBytes, shape }: JsonAnswerOptions,
): Promise<JsonAnswer> {
  const chunks: Uint8Array[] = [];
  try {
    const bytes = await readBytes(response.body, maxBytes, chunks);
    const value = parseJson(bytes);
    if (value === undefined) throw new UnusableAnswer('the answer is not JSON');
    if (!isObject(value) || (value['error'] !== undefined && value['error'] !== null)) {
      throw new UnusableAnswer(readUpstreamError(value, response.status).message);
    }
    const { model, texts, usage } = endpoint.readAnswer(value, shape);
    return { model, texts, usage, bytes, cut: null };
  } catch (error) {
    const isCut = error instanceof TransportError && ['too_long', 'aborted'].includes(error.failure);
    if (!isCut || chunks.length === 0) throw error;
    response.destroy();
    const bytes = Buffer.concat(chunks);
    return { bytes, usage: null, model: null, texts: textsOfCutJson(bytes, endpoint.textMembers), cut: error };
  }
}

/**
 * The texts of a message, or of a stream's delta, that were generated: content, refusal, reasoning (under the names that
 * providers give it), what was spoken, and names and arguments of tool calls, the older form of OpenAI's API included.
 */
export function textsOfMessage(message: JsonObject): string[] {
  const { audio, content, function_call: called, reasoning, reasoning_content: thought, refusal } = message;
  const spoken = isObject(audio) ? audio['transcript'] : undefined;
  const others = [refusal, thought ?? reasoning, spoken].filter((text) => typeof text === 'string');
  const texts = [...textsOfContent(content), ...others];
  const calls: unknown[] = Array.isArray(message['tool_calls']) ? message['tool_calls'] : [];
  const tools = calls.filter(isObject).map((call) => call['function'] ?? call['custom']);
  for (const tool of [...tools, called].filter(isObject)) {
    texts.push(...Object.values(tool).filter((text) => typeof text === 'string'));
  }
  return texts;
}

/** A text, or a list of parts with their texts, as Mistral's models that think have them: a thought is a list once more. */
function textsOfContent(content: unknown, depth = 0): string[] {
  if (typeof content === 'string') return [content];
  if (!Array.isArray(content) || depth > maxPartDepth) return [];
  const parts: unknown[] = content;
  return parts
    .filter(isObject)
    .flatMap(({ text, thinking }) => [...textsOfContent(text, depth + 1), ...textsOfContent(thinking, depth + 1)]);
}

/**
 * All bytes of a body.
 * @param chunks takes what was read, so that it is there after a failure too.
 * @throws TransportError, `too_long` if there are more than `maxBytes`.
 */
export async function readBytes(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
  chunks: Uint8Array[] = [],
): Promise<Buffer> {
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    chunks.push(chunk);
    if (length > maxBytes) throw new TransportError('too_long', `the answer is longer than ${maxBytes} bytes`);
  }
  const [only] = chunks;
  if (only && chunks.length === 1)
    return Buffer.isBuffer(only) ? only : Buffer.from(only.buffer, only.byteOffset, only.byteLength);
  return Buffer.concat(chunks, length);
}
