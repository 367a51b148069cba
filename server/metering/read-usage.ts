import type { TokenUsage } from '../../protocol/receipt/call-receipt.ts';
import { isObject } from '../../protocol/text/json-object.ts';

/** How a provider counts. */
export interface UsageShape {
  /** Whether `completion_tokens` leave the reasoning tokens out; they are added then. */
  reasoningBeside?: boolean | undefined;
}

/** Usage as a provider tells it, believed by nobody yet (judge-usage.ts): a number that is no count of tokens is NaN. */
export type ToldUsage = TokenUsage;

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
  // The total tells of a provider that has come to count as OpenAI does.
  const isBeside = reasoningBeside && value['total_tokens'] !== prompt + told;
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
    completion: isBeside && !Number.isNaN(reasoning) ? told + reasoning : told,
    reasoning,
    audioCompletion: readPart(completionParts, ['audio_tokens']),
  };
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
  if (!isMissing(details) && !isObject(details)) return NaN;
  const values = [...names.map((name) => (isObject(details) ? details[name] : undefined)), ...others];
  return Math.max(...values.map(readCount));
}
