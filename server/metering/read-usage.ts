import type { TokenUsage } from '../../protocol/receipt/call-receipt.ts';
import { isObject } from '../../protocol/text/json-object.ts';

/** How a provider counts. */
export interface UsageShape {
  /** Whether `completion_tokens` leave the reasoning tokens out; they are added then. */
  reasoningBeside?: boolean | undefined;
}

/**
 * Reads a provider's `usage` of a chat completion (OpenAI API reference, "The chat completion object"; the member
 * `prompt_tokens_details.cache_write_tokens` is OpenRouter's).
 * @returns null if there is none or its numbers cannot be: not whole, negative, or a part larger than its whole.
 */
export function readUsage(value: unknown, { reasoningBeside = false }: UsageShape = {}): TokenUsage | null {
  if (!isObject(value)) return null;
  const prompt = readCount(value['prompt_tokens']);
  const told = readCount(value['completion_tokens']);
  if (prompt === null || told === null) return null;
  const promptParts = readParts(value['prompt_tokens_details'], [
    'cached_tokens',
    'cache_write_tokens',
    'audio_tokens',
  ]);
  const completionParts = readParts(value['completion_tokens_details'], ['reasoning_tokens', 'audio_tokens']);
  if (promptParts === null || completionParts === null) return null;
  const [cachedPrompt = 0, cacheWrite = 0, audio = 0] = promptParts;
  const [reasoning = 0, audioCompletion = 0] = completionParts;
  // The total tells of a provider that has come to count as OpenAI does.
  const isBeside = reasoningBeside && value['total_tokens'] !== prompt + told;
  const completion = isBeside ? told + reasoning : told;
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
