import { isObject, type JsonObject } from '../../../protocol/text/json-object.ts';
import { readModelBody } from '../read-model-body.ts';
import { invalid, readBoolean, readCount, readFallbackModels } from '../read-request.ts';
import { refuseFoldedPart } from '../refuse-folded-keys.ts';
import { refuseStoredFile, refuseUnbounded, watchedParameters } from '../refuse-unbounded.ts';
import type { ModelRequest, RequestPrompt } from './endpoint.ts';

/** Tools that run at the provider, places that cost more than listed, and what generates beyond the limit. */
const unbounded = ['mcp_servers', 'container', 'context_management', 'inference_geo', 'speed', 'task_budget'];

const knownKeys: ReadonlySet<string> = new Set([
  ...watchedParameters,
  ...unbounded,
  ...['cache_control', 'extra_body', 'fallback_models', 'max_tokens', 'messages', 'metadata', 'model'],
  ...['output_config', 'output_format', 'service_tier', 'stop_sequences', 'stream', 'system', 'temperature'],
  ...['thinking', 'tool_choice', 'tools', 'top_k', 'top_p'],
]);

/** Blocks that are text, or JSON of the client's or the model's. */
const textBlocks = ['text', 'thinking', 'redacted_thinking', 'tool_use', 'tool_result'];
/** Anthropic puts a prompt of its own before tools: 313 to 804 tokens, by model (its guide "Tool use", "Pricing"). */
const toolPromptTokens = 1_024;

/**
 * Reads and checks the body of `POST /v1/messages` (Anthropic API reference, "Create a Message").
 * @throws AutoPayError `invalid_json`, `invalid_request`, `duplicate_key`, `unsupported_parameter`; with `param`.
 */
export function parseMessagesRequest(body: Buffer): ModelRequest {
  const { value, members, model } = readModelBody(body, knownKeys);
  const { messages, system, tools } = value;
  if (!Array.isArray(messages) || messages.length === 0) throw invalid('messages', 'a non-empty array');
  messages.forEach((message, index) => {
    if (!isObject(message)) throw invalid(`messages[${index}]`, 'an object');
    refuseFoldedPart(message, `messages[${index}]`);
    refuseBlocks(message['content'], `messages[${index}].content`);
  });
  refuseBlocks(system, 'system');
  refuseBlocks(tools, 'tools');
  // Of the other types, Anthropic's own, some run there, and all bring prompts of their own.
  refuseUnbounded(value, {
    also: unbounded,
    tiers: ['auto', 'standard_only'],
    tools: [undefined, 'custom'],
    limits: ['max_tokens'],
    manyChoices: false,
  });
  const limit = readCount(value['max_tokens'], 'max_tokens');
  return {
    value,
    members,
    model,
    stream: readBoolean(value['stream'], 'stream'),
    includeUsage: true,
    outputLimit: limit === null ? null : { parameter: 'max_tokens', tokens: limit },
    choices: 1,
    inputs: 1,
    logprobs: 0,
    fallbackModels: readFallbackModels(value['fallback_models']),
    textOnly: (messages as JsonObject[]).every(({ content }) => isText(content)) && isText(system),
    overheadTokens: Array.isArray(tools) && tools.length > 0 ? toolPromptTokens : 0,
    prompt: promptOf(value, messages),
  };
}

function refuseBlocks(value: unknown, path: string): void {
  if (!Array.isArray(value)) return;
  value.forEach((block: unknown, index) => {
    if (!isObject(block)) return;
    refuseFoldedPart(block, `${path}[${index}]`);
    refuseStoredFile(block, `${path}[${index}]`);
    refuseBlocks(block['content'], `${path}[${index}].content`);
  });
}

/** Text costs at most its bytes; an image or a document is named by a few bytes and may cost any number of tokens. */
function isText(value: unknown): boolean {
  if (value === undefined || value === null || typeof value === 'string') return true;
  if (!Array.isArray(value)) return false;
  return value.every((block) => {
    if (!isObject(block) || !textBlocks.some((type) => type === block['type'])) return false;
    return block['type'] !== 'tool_result' || isText(block['content']);
  });
}

function promptOf({ system, tools }: JsonObject, messages: readonly unknown[]): RequestPrompt {
  const first = system === undefined || system === null ? [] : [{ role: 'system', content: system }];
  return { messages: [...first, ...messages], tools };
}
