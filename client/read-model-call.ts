import { readChatCall, type ChatCall } from './estimate-quote.ts';

/** OpenAI's default where a completion sets no limit. */
const completionTokens = 16;
const maxChoices = 128;
/** What Anthropic's own prompt for tools takes at most, as the relay counts it (docs/ENDPOINTS.md). */
const toolPromptTokens = 1_024;

/** Messages, items and parts that are all in the request. */
const textTypes = new Set([
  ...['message', 'text', 'refusal', 'input_text', 'output_text', 'reasoning_text', 'summary_text'],
  ...['function_call', 'function_call_output', 'custom_tool_call', 'custom_tool_call_output', 'reasoning'],
  ...['thinking', 'redacted_thinking', 'tool_use', 'tool_result'],
]);

type Body = Readonly<Record<string, unknown>>;

/** What bounds a call, beside its bytes. */
interface ReadBounds {
  outputLimit: unknown;
  hasOnlyText: boolean;
  inputs?: number;
  choices?: number;
  overheadBytes?: number;
}

const readers: Readonly<Record<string, (body: Body) => ReadBounds | undefined>> = {
  '/responses': readResponse,
  '/completions': readCompletion,
  '/embeddings': ({ input }) => ({ outputLimit: 0, hasOnlyText: true, inputs: countInputs(input) }),
  '/messages': readMessage,
};

/**
 * Reads what bounds the cost of a call from its URL and the exact bytes of its body: of chat completions, or of another of the relay's
 * endpoints (docs/ENDPOINTS.md).
 * @returns undefined if this is no call that a relay would take: the relay then says what is wrong with it.
 */
export function readModelCall(url: string, bytes: Uint8Array): ChatCall | undefined {
  const { pathname } = new URL(url);
  if (pathname.endsWith('/chat/completions')) return readChatCall(bytes);
  const [, read] = Object.entries(readers).find(([end]) => pathname.endsWith(end)) ?? [];
  const body = read && parse(bytes);
  const bounds = body && read(body);
  if (!bounds || typeof body['model'] !== 'string') return undefined;
  const { choices = 1, hasOnlyText, inputs = 1, outputLimit, overheadBytes = 0 } = bounds;
  if (
    outputLimit !== undefined &&
    (typeof outputLimit !== 'number' || !Number.isSafeInteger(outputLimit) || outputLimit < 0)
  )
    return undefined;
  const named: unknown[] = Array.isArray(body['fallback_models']) ? body['fallback_models'] : [];
  return {
    model: body['model'],
    fallbackModels: named.filter((name) => typeof name === 'string'),
    bodyBytes: bytes.length + overheadBytes,
    ...{ hasOnlyText, inputs, choices, outputLimit },
  };
}

/** A short request to the same endpoint for the same model: it is refused with the same offers. */
export function shortRequest(url: string, model: string): Uint8Array<ArrayBuffer> {
  const { pathname } = new URL(url);
  const asked = /\/(?:responses|embeddings)$/.test(pathname)
    ? { input: 'x' }
    : /(?<!\/chat)\/completions$/.test(pathname)
      ? { prompt: 'x', max_tokens: 1 }
      : { messages: [{ role: 'user', content: '' }], max_tokens: 1 };
  return new TextEncoder().encode(JSON.stringify({ model, ...asked }));
}

function parse(bytes: Uint8Array): Body | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : undefined;
  } catch {
    return undefined;
  }
}

function readResponse({ input, instructions, max_output_tokens: limit }: Body): ReadBounds {
  return { outputLimit: limit ?? undefined, hasOnlyText: isText(input) && isText(instructions) };
}

function readCompletion({ max_tokens: limit, n, prompt }: Body): ReadBounds | undefined {
  const inputs = countInputs(prompt);
  const each = n ?? 1;
  if (typeof each !== 'number' || !Number.isSafeInteger(each) || each < 1 || each > maxChoices) return undefined;
  const choices = inputs * each;
  return { outputLimit: limit ?? completionTokens, hasOnlyText: true, inputs, choices };
}

function readMessage({ max_tokens: limit, messages, system, tools }: Body): ReadBounds | undefined {
  if (!Array.isArray(messages)) return undefined;
  const overheadBytes = Array.isArray(tools) && tools.length > 0 ? toolPromptTokens : 0;
  return { outputLimit: limit ?? undefined, hasOnlyText: isText(messages) && isText(system), overheadBytes };
}

/** As the relay sees it: whatever is not plainly text counts as the whole context. */
function isText(value: unknown): boolean {
  if (value === undefined || value === null || typeof value === 'string') return true;
  if (!Array.isArray(value)) return false;
  return value.every((part: unknown) => {
    if (typeof part !== 'object' || part === null) return false;
    const { content, encrypted_content: encrypted, output, type = 'message' } = part as Body;
    if (typeof type !== 'string' || !textTypes.has(type)) return false;
    // One without its content is looked up by its id.
    if (type === 'reasoning') return typeof encrypted === 'string' || (Array.isArray(content) && isText(content));
    return isText(content) && isText(output);
  });
}

/** Texts, or lists of tokens; one list of tokens is one input. */
function countInputs(value: unknown): number {
  return Array.isArray(value) && value.length > 0 && typeof value[0] !== 'number' ? value.length : 1;
}
