import { isUtf8 } from 'node:buffer';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { isObject, type JsonObject } from '../../protocol/text/json-object.ts';
import { boundJson } from './bound-json.ts';
import { refuseFoldedKeys, refuseFoldedPart, refuseFoldedStreamOptions } from './refuse-folded-keys.ts';
import { refuseUnbounded } from './refuse-unbounded.ts';
import { scanTopLevel, type TopLevelMember } from './scan-top-level.ts';

/** What the relay needs to know of a chat completion request. All else passes through unread. */
export interface ChatRequest {
  /** The parsed body. */
  value: JsonObject;
  /** Where its members stand in the body. */
  members: readonly TopLevelMember[];
  model: string;
  stream: boolean;
  /** Whether the client itself asked for usage in the stream. */
  includeUsage: boolean;
  /** The client's output limit and the name that it gave it. */
  outputLimit: { parameter: 'max_completion_tokens' | 'max_tokens'; tokens: number } | null;
  /** OpenAI's `n`. */
  choices: number;
  /** Log probabilities that are asked for with each token of the answer, the token's own included; 0 for none. */
  logprobs: number;
  /** BlockRun's `fallback_models`: names that may answer in the model's place. */
  fallbackModels: readonly string[];
  /** Whether every part of every message is text, so that the body's bytes bound the prompt's tokens. */
  textOnly: boolean;
}

const maxChoices = 128;
/** Each is quoted. */
const maxFallbackModels = 8;
/** OpenAI's bound of `top_logprobs`; elsewhere -1 asks for the whole vocabulary. */
const maxTopLogprobs = 20;

/**
 * Reads and checks the body of `POST /v1/chat/completions` (OpenAI API reference, "Create chat completion").
 * @throws AutoPayError `invalid_json`, `invalid_request`, `duplicate_key`, `unsupported_parameter`; with `param`.
 */
export function parseChatRequest(body: Buffer): ChatRequest {
  const value = parseObject(body);
  const members = scanTopLevel(body);
  refuseFoldedKeys(members.map(({ key }) => key));
  const { model, messages } = value;
  if (typeof model !== 'string' || model === '')
    throw invalid('model', 'a non-empty string; GET /v1/models lists them');
  if (!Array.isArray(messages) || messages.length === 0) throw invalid('messages', 'a non-empty array');
  messages.forEach((message, index) => {
    if (!isObject(message)) throw invalid(`messages[${index}]`, 'an object');
    refuseFoldedMessage(message, `messages[${index}]`);
  });
  const tools: unknown[] = Array.isArray(value['tools']) ? value['tools'] : [];
  tools.forEach((tool, index) => {
    if (isObject(tool)) refuseFoldedPart(tool, `tools[${index}]`);
  });
  refuseUnbounded(value);
  const stream = readBoolean(value['stream'], 'stream');
  const streamOptions = value['stream_options'] ?? {};
  if (!isObject(streamOptions)) throw invalid('stream_options', 'an object');
  const options = members.find(({ key }) => key === 'stream_options');
  if (options) {
    const text = body.subarray(options.valueStart, options.valueEnd);
    refuseFoldedStreamOptions(scanTopLevel(text).map(({ key }) => key));
  }
  return {
    value,
    members,
    model,
    stream,
    includeUsage: readBoolean(streamOptions['include_usage'], 'stream_options.include_usage'),
    outputLimit: readOutputLimit(value),
    choices: readCount(value['n'], 'n', maxChoices) ?? 1,
    logprobs: readLogprobs(value),
    fallbackModels: readFallbackModels(value['fallback_models']),
    textOnly: (messages as JsonObject[]).every(isTextOnly),
  };
}

function parseObject(body: Buffer): JsonObject {
  boundJson(body);
  if (!isUtf8(body)) throw new AutoPayError('invalid_json', 'The body is not UTF-8. Send JSON in UTF-8.');
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new AutoPayError('invalid_json', 'The body is not JSON. Send a JSON object.', { cause });
  }
  if (!isObject(value)) throw new AutoPayError('invalid_json', 'The body is JSON, but no object. Send a JSON object.');
  return value;
}

function readOutputLimit(value: JsonObject): ChatRequest['outputLimit'] {
  const current = readCount(value['max_completion_tokens'], 'max_completion_tokens');
  const older = readCount(value['max_tokens'], 'max_tokens');
  if (current !== null && older !== null) {
    throw new AutoPayError('invalid_request', 'Send max_completion_tokens or max_tokens, not both.', {
      param: 'max_tokens',
    });
  }
  if (current !== null) return { parameter: 'max_completion_tokens', tokens: current };
  return older === null ? null : { parameter: 'max_tokens', tokens: older };
}

function refuseFoldedMessage(message: JsonObject, path: string): void {
  refuseFoldedPart(message, path);
  const { content } = message;
  if (!Array.isArray(content)) return;
  content.forEach((part: unknown, index) => {
    if (isObject(part)) refuseFoldedPart(part, `${path}.content[${index}]`);
  });
}

function readLogprobs(value: JsonObject): number {
  const top = value['top_logprobs'] ?? 0;
  if (typeof top !== 'number' || !Number.isSafeInteger(top) || top < 0 || top > maxTopLogprobs) {
    throw invalid('top_logprobs', `a whole number from 0 to ${maxTopLogprobs}`);
  }
  return readBoolean(value['logprobs'], 'logprobs') || top > 0 ? 1 + top : 0;
}

function readFallbackModels(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  const isNames =
    Array.isArray(value) &&
    value.length <= maxFallbackModels &&
    value.every((name): name is string => typeof name === 'string' && name !== '');
  if (!isNames) throw invalid('fallback_models', `a list of at most ${maxFallbackModels} names of models`);
  return value;
}

function readBoolean(value: unknown, param: string): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value !== 'boolean') throw invalid(param, 'true or false');
  return value;
}

function readCount(value: unknown, param: string, most = Number.MAX_SAFE_INTEGER): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1 || value > most) {
    throw invalid(
      param,
      most === Number.MAX_SAFE_INTEGER ? 'a whole number from 1' : `a whole number from 1 to ${most}`,
    );
  }
  return value;
}

/** Text costs at most its bytes; an image, a sound or a file is named by a few bytes and may cost any number of tokens. */
function isTextOnly(message: JsonObject): boolean {
  // An assistant's earlier audio is referred to by its id.
  if (message['audio'] !== undefined && message['audio'] !== null) return false;
  const { content } = message;
  if (content === undefined || content === null || typeof content === 'string') return true;
  if (!Array.isArray(content)) return false;
  return content.every((part) => isObject(part) && (part['type'] === 'text' || part['type'] === 'refusal'));
}

function invalid(param: string, expected: string): AutoPayError {
  return new AutoPayError('invalid_request', `"${param}" must be ${expected}.`, { param });
}
