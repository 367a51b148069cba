import { isObject, type JsonObject } from '../../protocol/text/json-object.ts';
import type { ModelRequest } from '../call/endpoints/endpoint.ts';

/** What rules and `auto` look at in a request. */
export interface RequestFeatures {
  /** What the user said last, at most `maxSearchedCharacters` of it. */
  text: string;
  /** Of all messages, calls of tools and their results; a token that the client sent as such counts four. */
  promptCharacters: number;
  tools: boolean;
  images: boolean;
  tags: readonly string[];
}

/** Longer texts are searched at their beginning only. */
export const maxSearchedCharacters = 32_768;
const maxTags = 16;
const charactersPerToken = 4;

/** Members of messages and of their parts that hold what is no text, or say what a part is. */
const notText: ReadonlySet<string> = new Set([
  ...[
    'audio',
    'cache_control',
    'data',
    'encrypted_content',
    'file',
    'file_data',
    'file_url',
    'image_url',
    'input_audio',
  ],
  ...[
    'call_id',
    'detail',
    'id',
    'media_type',
    'phase',
    'role',
    'signature',
    'status',
    'tool_call_id',
    'tool_use_id',
    'type',
    'url',
  ],
]);

/**
 * Reads the features of a request.
 * @param headers names in lower case
 */
export function readFeatures(
  asked: Pick<ModelRequest, 'prompt' | 'value'>,
  headers: Readonly<Record<string, string | undefined>>,
): RequestFeatures {
  const { functions, metadata, tags, tools } = asked.value;
  const all = asked.prompt.messages.filter(isObject);
  const last = all.findLast(({ role }) => role === 'user');
  return {
    text: last ? partsOf(last).map(textOf).join('\n').slice(0, maxSearchedCharacters) : '',
    promptCharacters: countCharacters(all) + (asked.prompt.tokens ?? 0) * charactersPerToken,
    tools: isFilled(tools) || isFilled(functions),
    images: hasImage(all),
    tags: readTags(headers, [tags, isObject(metadata) ? metadata['tags'] : undefined]),
  };
}

function isFilled(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

function partsOf({ content }: JsonObject): unknown[] {
  return Array.isArray(content) ? content : [content];
}

function textOf(part: unknown): string {
  if (typeof part === 'string') return part;
  return isObject(part) && typeof part['text'] === 'string' ? part['text'] : '';
}

/** Whether there is an image among messages and their parts, the results of tools included. */
function hasImage(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasImage);
  if (!isObject(value)) return false;
  return /^(?:input_)?image/.test(String(value['type'])) || hasImage(value['content']) || hasImage(value['output']);
}

/** Of every text within, however an API nests it: its levels are bounded as those of every body (bound-json.ts). */
function countCharacters(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (Array.isArray(value)) return value.reduce<number>((sum, part) => sum + countCharacters(part), 0);
  if (!isObject(value)) return 0;
  // Anthropic's documents of plain text have it where others have their bytes.
  const isTextOf = (key: string) => !notText.has(key) || (key === 'data' && value['type'] === 'text');
  return Object.entries(value).reduce((sum, [key, part]) => sum + (isTextOf(key) ? countCharacters(part) : 0), 0);
}

/** Tags as the relay's header, LiteLLM's header, or LiteLLM's `tags` and `metadata.tags` have them. */
function readTags(headers: Readonly<Record<string, string | undefined>>, lists: readonly unknown[]): string[] {
  const inHeaders = [headers['x-autopay-tags'], headers['x-litellm-tags']].flatMap((text) => text?.split(',') ?? []);
  const inBody = lists.flatMap((list): unknown[] => (Array.isArray(list) ? list : []));
  return [...inHeaders, ...inBody.filter((tag) => typeof tag === 'string')]
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '')
    .slice(0, maxTags);
}
