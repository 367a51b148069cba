import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { isObject, type JsonObject } from '../../../protocol/text/json-object.ts';
import {
  invalid,
  parseObject,
  readBoolean,
  readCount,
  readFallbackModels,
  readLogprobs,
  readModelName,
} from '../read-request.ts';
import { refuseFoldedKeys, refuseFoldedPart } from '../refuse-folded-keys.ts';
import { refuseMember, refuseUnbounded, unboundedParameters } from '../refuse-unbounded.ts';
import { scanTopLevel } from '../scan-top-level.ts';
import type { ModelRequest, RequestPrompt } from './endpoint.ts';

/**
 * What refers to something at the provider: its length is not known, and it may be another payer's, since all of them come with the
 * relay's key. `context_management` generates what no limit bounds.
 */
const stored = ['previous_response_id', 'conversation', 'prompt', 'context_management'];

const knownKeys: ReadonlySet<string> = new Set([
  ...unboundedParameters,
  ...stored,
  ...['background', 'extra_body', 'fallback_models', 'include', 'input', 'instructions', 'max_output_tokens'],
  ...['max_tool_calls', 'metadata', 'model', 'parallel_tool_calls', 'prompt_cache_key', 'prompt_cache_retention'],
  ...['reasoning', 'safety_identifier', 'service_tier', 'store', 'stream', 'stream_options', 'temperature', 'text'],
  ...['tool_choice', 'tools', 'top_logprobs', 'top_p', 'truncation', 'user'],
]);

const logprobsInclude = 'message.output_text.logprobs';
const textParts = ['input_text', 'output_text', 'text', 'refusal', 'reasoning_text', 'summary_text'];
/** Items that are all in the request. */
const textItems = [
  ...['message', 'function_call', 'function_call_output', 'custom_tool_call', 'custom_tool_call_output'],
  'reasoning',
];

/**
 * Reads and checks the body of `POST /v1/responses` (OpenAI API reference, "Create a model response").
 * @throws AutoPayError `invalid_json`, `invalid_request`, `duplicate_key`, `unsupported_parameter`; with `param`.
 */
export function parseResponsesRequest(body: Buffer): ModelRequest {
  const value = parseObject(body);
  const members = scanTopLevel(body);
  refuseFoldedKeys(
    members.map(({ key }) => key),
    knownKeys,
  );
  const model = readModelName(value);
  refuseUnbounded(value, { also: stored });
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
    if (item['type'] === 'item_reference') {
      const message = 'Items that are stored at the provider are not supported. Send the item itself.';
      throw new AutoPayError('unsupported_parameter', message, { param: `${path}.type` });
    }
    return item;
  });
}

/** Text costs at most its bytes; an image, a file, or what an id stands for may cost any number of tokens. */
function isTextItem(item: JsonObject): boolean {
  const { content, encrypted_content: encrypted, output, type = 'message' } = item;
  if (typeof type !== 'string' || !textItems.includes(type)) return false;
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
