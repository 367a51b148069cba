import type { TokenUsage } from '../../protocol/receipt/call-receipt.ts';
import { isObject } from '../../protocol/text/json-object.ts';

/** How a provider counts. */
export interface UsageShape {
  /** Whether `completion_tokens` leave the reasoning tokens out, where `total_tokens` does not tell; they are added then. */
  reasoningBeside?: boolean | undefined;
}

/** Usage as a provider tells it, believed by nobody yet (judge-usage.ts): a number that is no count of tokens is NaN. */
export interface ToldUsage extends TokenUsage {
  /** Set where it was told before the output was counted: `completion` says nothing then. */
  isBegun?: true;
}

/**
 * Reads a provider's `usage` of a chat completion (OpenAI API reference, "The chat completion object"). What was read from a cache, or
 * written to it, is taken where the provider tells it: DeepSeek, Moonshot, OpenRouter and LiteLLM have names of their own.
 * @returns null if there is none, or half of it is missing.
 */
export function readUsage(value: unknown, { reasoningBeside = false }: UsageShape = {}): ToldUsage | null {
  if (!isObject(value)) return null;
  const { prompt_tokens: promptTokens, completion_tokens: completionTokens } = value;
  if (isMissing(promptTokens) || isMissing(completionTokens)) return null;
  const prompt = readCount(promptTokens);
  const told = readCount(completionTokens);
  const promptParts = value['prompt_tokens_details'];
  const completionParts = value['completion_tokens_details'];
  const reasoning = readPart(completionParts, ['reasoning_tokens']);
  const beside = countBeside({ sum: prompt + told, reasoning, total: value['total_tokens'], reasoningBeside });
  return {
    prompt,
    cachedPrompt: readPart(
      promptParts,
      ['cached_tokens'],
      [value['prompt_cache_hit_tokens'], value['cached_tokens'], value['cache_read_input_tokens']],
    ),
    cacheWrite: readPart(
      promptParts,
      ['cache_write_tokens', 'cache_creation_tokens'],
      [value['cache_creation_input_tokens']],
    ),
    audioPrompt: readPart(promptParts, ['audio_tokens']),
    completion: told + beside,
    reasoning: Math.max(reasoning, beside),
    audioCompletion: readPart(completionParts, ['audio_tokens']),
  };
}

/**
 * Reasoning tokens beside the completion's. The total tells where they are, whatever is known of the provider: it may have come to count as
 * OpenAI does, or may answer through a gateway. What it has beyond the sum of a provider that counts them beside is reasoning that is
 * told nowhere else (Gemini's).
 */
function countBeside(told: { sum: number; reasoning: number; total: unknown; reasoningBeside: boolean }): number {
  const { sum, reasoningBeside } = told;
  const reasoning = Number.isNaN(told.reasoning) ? 0 : told.reasoning;
  const total = readCount(told.total);
  if (total === sum) return 0;
  if (total === sum + reasoning) return reasoning;
  if (!reasoningBeside) return 0;
  return reasoning === 0 && total > sum ? total - sum : reasoning;
}

/** A count of tokens: 0 where it is missing, NaN where it cannot be one. */
export function readCount(value: unknown): number {
  if (isMissing(value)) return 0;
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : NaN;
}

function isMissing(value: unknown): boolean {
  return value === undefined || value === null;
}

/** The largest that is told of a part, within its details or beside them: some servers fill in a zero where they do not count. */
function readPart(details: unknown, names: readonly string[], others: readonly unknown[] = []): number {
  // PHP writes an object without members as an array.
  const isEmpty = Array.isArray(details) && details.length === 0;
  if (!isMissing(details) && !isObject(details) && !isEmpty) return NaN;
  let largest = 0;
  if (isObject(details)) for (const name of names) largest = Math.max(largest, readCount(details[name]));
  for (const other of others) largest = Math.max(largest, readCount(other));
  return largest;
}
