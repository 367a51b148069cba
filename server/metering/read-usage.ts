import type { TokenUsage } from '../../protocol/receipt/call-receipt.ts';

/**
 * Reads a provider's `usage` of a chat completion (OpenAI API reference, "The chat completion object"; the member
 * `prompt_tokens_details.cache_write_tokens` is OpenRouter's).
 * @returns null if there is none or its numbers cannot be: not whole, negative, or a part larger than its whole.
 */
export function readUsage(value: unknown): TokenUsage | null {
  if (!isObject(value)) return null;
  const prompt = readCount(value['prompt_tokens']);
  const completion = readCount(value['completion_tokens']);
  if (prompt === null || completion === null) return null;
  const promptParts = readParts(value['prompt_tokens_details'], [
    'cached_tokens',
    'cache_write_tokens',
    'audio_tokens',
  ]);
  const completionParts = readParts(value['completion_tokens_details'], ['reasoning_tokens', 'audio_tokens']);
  if (promptParts === null || completionParts === null) return null;
  const [cachedPrompt = 0, cacheWrite = 0, audio = 0] = promptParts;
  const [reasoning = 0, audioCompletion = 0] = completionParts;
  if (audio > prompt || cachedPrompt + cacheWrite > prompt) return null;
  if (reasoning > completion || audioCompletion > completion) return null;
  // Audio that was read from the cache is counted under both names: it is billed once, as cached.
  const audioPrompt = Math.min(audio, prompt - cachedPrompt - cacheWrite);
  return { prompt, cachedPrompt, cacheWrite, audioPrompt, completion, reasoning, audioCompletion };
}

function readParts(value: unknown, names: readonly string[]): number[] | null {
  if (value === undefined || value === null) return [];
  if (!isObject(value)) return null;
  const parts = names.map((name) => readCount(value[name] ?? 0));
  return parts.includes(null) ? null : (parts as number[]);
}

function readCount(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
