import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { isObject, type JsonObject } from '../../../protocol/text/json-object.ts';
import { readModelBody } from '../read-model-body.ts';
import { invalid, readBoolean, readCount, readFallbackModels, readLogprobs } from '../read-request.ts';
import { refuseFoldedPart } from '../refuse-folded-keys.ts';
import { refuseMember, refuseStoredFile, refuseUnbounded, watchedParameters } from '../refuse-unbounded.ts';
import type { ModelRequest, RequestPrompt } from './endpoint.ts';

/**
 * What refers to something at the provider: its length is not known, and it may be another payer's, since all of them come with the
 * relay's key. `context_management` generates what no limit bounds.
 */
const stored = ['previous_response_id', 'conversation', 'prompt', 'context_management'];

const knownKeys: ReadonlySet<string> = new Set([
  ...watchedParameters,
  ...stored,
  ...['background', 'extra_body', 'fallback_models', 'include', 'input', 'instructions', 'max_output_tokens'],
  ...['max_tool_calls', 'metadata', 'model', 'parallel_tool_calls', 'prompt_cache_key', 'prompt_cache_retention'],
  ...['reasoning', 'safety_identifier', 'service_tier', 'store', 'stream', 'stream_options', 'temperature', 'text'],
  ...['tool_choice', 'tools', 'top_logprobs', 'top_p', 'truncation', 'user'],
]);

const logprobsInclude = 'message.output_text.logprobs';
const textParts = ['input_text', 'output_text', 'text', 'refusal', 'reasoning_text', 'summary_text'];
/** Items that are all in the request. All others are a hosted tool's, add tools, or stand for what is stored at the provider. */
const itemTypes = [
  ...['message', 'function_call', 'function_call_output', 'custom_tool_call', 'custom_tool_call_output'],
  'reasoning',
];

/**
 * Reads and checks the body of `POST /v1/responses` (OpenAI API reference, "Create a model response").
 * @throws AutoPayError `invalid_json`, `invalid_request`, `duplicate_key`, `unsupported_parameter`; with `param`.
 */
export function parseResponsesRequest(body: Buffer): ModelRequest {
  const { value, members, model } = readModelBody(body, knownKeys);
  refuseUnbounded(value, { also: stored, limits: ['max_output_tokens'], manyChoices: false });
  // Its answer would be fetched at the provider, later.
  if (readBoolean(value['background'], 'background')) throw refuseMember('background');
  const items = readItems(value['input']);
  const tools: unknown[] = Array.isArray(value['tools']) ? value['tools'] : [];
  tools.forEach((tool, index) => {
    if (isObject(tool)) refuseFoldedPart(tool, `tools[${index}]`);
  });
  const limit = readCount(value['max_output_tokens'], 'max_output_tokens');
  const include: unknown[] = Array.isArray(value['include']) ? value['include'] : [];
  return {
    value,
    members,
    model,
    stream: readBoolean(value['stream'], 'stream'),
    includeUsage: true,
    outputLimit: limit === null ? null : { parameter: 'max_output_tokens', tokens: limit },
    choices: 1,
    inputs: 1,
    logprobs: readLogprobs(value['top_logprobs'], 'top_logprobs', include.includes(logprobsInclude)),
    fallbackModels: readFallbackModels(value['fallback_models']),
    textOnly: items.every(isTextItem) && isTextList(value['instructions']),
    overheadTokens: 0,
    prompt: promptOf(value, items),
  };
}

/** The input as items. */
function readItems(input: unknown): readonly JsonObject[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  if (!Array.isArray(input) || input.length === 0) throw invalid('input', 'a text or a non-empty array');
  return input.map((item: unknown, index) => {
    const path = `input[${index}]`;
    if (!isObject(item)) throw invalid(path, 'an object');
    refuseFoldedPart(item, path);
    for (const list of ['content', 'output']) {
      const parts = item[list];
      if (!Array.isArray(parts)) continue;
      parts.forEach((part: unknown, at) => {
        if (isObject(part)) refuseFoldedPart(part, `${path}.${list}[${at}]`);
      });
    }
    refuseStored(item, path);
    return item;
  });
}

/**
 * Refuses items that are not all in the request. One without a type is a message, but a reference where it has only an id: its
 * type may be left out.
 */
function refuseStored(item: JsonObject, path: string): void {
  const type = item['type'] ?? 'message';
  if (!itemTypes.some((known) => known === type)) {
    const message = `Only items of the types "${itemTypes.join('", "')}" are supported. Send the item itself, and no other tool's.`;
    throw new AutoPayError('unsupported_parameter', message, { param: `${path}.type` });
  }
  if (type === 'message') {
    if (typeof item['role'] !== 'string') throw invalid(`${path}.role`, 'a text: items by their id are not supported');
    if (typeof item['content'] !== 'string' && !Array.isArray(item['content']))
      throw invalid(`${path}.content`, 'a text or an array: items by their id are not supported');
  }
  for (const list of ['content', 'output']) {
    const parts: unknown = item[list];
    if (!Array.isArray(parts)) continue;
    parts.forEach((part: unknown, at) => {
      if (isObject(part)) refuseStoredFile(part, `${path}.${list}[${at}]`);
    });
  }
}

/** Text costs at most its bytes; an image, a file, or what an id stands for may cost any number of tokens. */
function isTextItem(item: JsonObject): boolean {
  const { content, encrypted_content: encrypted, output, type } = item;
  // One without its content is looked up by its id.
  if (type === 'reasoning' && typeof encrypted !== 'string' && !Array.isArray(content)) return false;
  return isTextList(content) && isTextList(output);
}

function isTextList(value: unknown): boolean {
  if (value === undefined || value === null || typeof value === 'string') return true;
  if (!Array.isArray(value)) return false;
  return value.every((part) => isObject(part) && textParts.some((type) => type === part['type']));
}

function promptOf({ instructions, tools }: JsonObject, items: readonly JsonObject[]): RequestPrompt {
  const first = instructions === undefined || instructions === null ? [] : [{ role: 'system', content: instructions }];
  return { messages: [...first, ...items], tools };
}
