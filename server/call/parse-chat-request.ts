import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { isObject, type JsonObject } from '../../protocol/text/json-object.ts';
import type { ModelRequest } from './endpoints/endpoint.ts';
import { readModelBody } from './read-model-body.ts';
import { invalid, readBoolean, readCount, readFallbackModels, readLogprobs } from './read-request.ts';
import { refuseFoldedPart, refuseFoldedStreamOptions } from './refuse-folded-keys.ts';
import { refuseMember, refuseStoredFile, refuseUnbounded } from './refuse-unbounded.ts';
import { scanTopLevel, type TopLevelMember } from './scan-top-level.ts';

const maxChoices = 128;

/**
 * Reads and checks the body of `POST /v1/chat/completions` (OpenAI API reference, "Create chat completion").
 * @throws AutoPayError `invalid_json`, `invalid_request`, `duplicate_key`, `unsupported_parameter`; with `param`.
 */
export function parseChatRequest(body: Buffer): ModelRequest {
  const { value, members, model } = readModelBody(body);
  const { messages, tools } = value;
  if (!Array.isArray(messages) || messages.length === 0) throw invalid('messages', 'a non-empty array');
  messages.forEach((message, index) => {
    if (!isObject(message)) throw invalid(`messages[${index}]`, 'an object');
    refuseParts(message, `messages[${index}]`);
  });
  const listed: unknown[] = Array.isArray(tools) ? tools : [];
  listed.forEach((tool, index) => {
    if (isObject(tool)) refuseFoldedPart(tool, `tools[${index}]`);
  });
  refuseUnbounded(value, { maySearch: true });
  const search = readSearch(value);
  const choices = readCount(value['n'], 'n', maxChoices) ?? 1;
  // Each might search anew.
  if (search !== null && choices > 1) throw refuseMember('n');
  const stream = readBoolean(value['stream'], 'stream');
  return {
    value,
    members,
    model,
    stream,
    includeUsage: readIncludeUsage(body, value, members),
    outputLimit: readOutputLimit(value),
    choices,
    inputs: 1,
    logprobs: readLogprobs(value['top_logprobs'], 'top_logprobs', readBoolean(value['logprobs'], 'logprobs')),
    fallbackModels: readFallbackModels(value['fallback_models']),
    // What a search finds is part of the prompt.
    textOnly: search === null && (messages as JsonObject[]).every(isTextOnly),
    ...(search !== null && { search }),
    overheadTokens: 0,
    prompt: { messages, tools },
  };
}

/** What `search_parameters` may say (xAI's Live Search); more might cost more. */
const searchMembers = ['mode', 'return_citations', 'from_date', 'to_date', 'max_search_results', 'sources'];
/** Sources are billed by the piece, and this is what xAI takes where nothing is said: the price of a call covers as many. */
const maxSearchResults = 20;

/**
 * The member by which a request asks for a search, as BlockRun has them; null if it asks for none.
 * @throws AutoPayError `unsupported_parameter` for what the price of a call does not cover
 */
function readSearch(value: JsonObject): string | null {
  const { search, search_parameters: parameters } = value;
  const asked = readBoolean(search, 'search');
  if (parameters === undefined || parameters === null) return asked ? 'search' : null;
  if (!isObject(parameters)) throw invalid('search_parameters', 'an object');
  if (parameters['mode'] === 'off' && !asked) return null;
  const unknown = Object.keys(parameters).find((name) => !searchMembers.includes(name));
  if (unknown !== undefined) throw refuseMember(`search_parameters.${unknown.slice(0, 64)}`);
  readCount(parameters['max_search_results'], 'search_parameters.max_search_results', maxSearchResults);
  return asked ? 'search' : 'search_parameters';
}

/** Whether the client asked for usage in the stream, by `stream_options`. */
export function readIncludeUsage(body: Buffer, value: JsonObject, members: readonly TopLevelMember[]): boolean {
  const streamOptions = value['stream_options'] ?? {};
  if (!isObject(streamOptions)) throw invalid('stream_options', 'an object');
  const options = members.find(({ key }) => key === 'stream_options');
  if (options) {
    const text = body.subarray(options.valueStart, options.valueEnd);
    refuseFoldedStreamOptions(scanTopLevel(text).map(({ key }) => key));
  }
  return readBoolean(streamOptions['include_usage'], 'stream_options.include_usage');
}

function readOutputLimit(value: JsonObject): ModelRequest['outputLimit'] {
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

function refuseParts(message: JsonObject, path: string): void {
  refuseFoldedPart(message, path);
  const { content } = message;
  if (!Array.isArray(content)) return;
  content.forEach((part: unknown, index) => {
    if (!isObject(part)) return;
    refuseFoldedPart(part, `${path}.content[${index}]`);
    refuseStoredFile(part, `${path}.content[${index}]`);
  });
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
