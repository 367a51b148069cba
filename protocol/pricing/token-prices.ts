import type { TokenUsage } from '../receipt/call-receipt.ts';

/**
 * What a model costs, in atomic units of the payment token per 1,000,000 tokens (`request`: per call).
 * `cachedPrompt`, `cacheWrite`, `audioPrompt` and `audioCompletion` are the prices of those *parts*, instead of, not
 * on top of, `prompt` and `completion`. Reasoning tokens cost what completion tokens cost.
 */
export interface TokenPrices {
  prompt: bigint;
  cachedPrompt: bigint;
  cacheWrite: bigint;
  audioPrompt: bigint;
  completion: bigint;
  audioCompletion: bigint;
  request: bigint;
}

/** The number of tokens that a price is for. */
export const tokensPerPrice = 1_000_000n;

/** Rounded up, so that no call is free by division. */
export function divideRoundingUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}

/** The cost of `usage`: one exact sum, rounded up once, to the atomic unit. */
export function costOfUsage(usage: TokenUsage, prices: TokenPrices): bigint {
  const plainPrompt = usage.prompt - usage.cachedPrompt - usage.cacheWrite - usage.audioPrompt;
  const plainCompletion = usage.completion - usage.audioCompletion;
  if (plainPrompt < 0 || plainCompletion < 0) throw new RangeError('the parts of the usage exceed the whole');
  const sum =
    BigInt(plainPrompt) * prices.prompt +
    BigInt(usage.cachedPrompt) * prices.cachedPrompt +
    BigInt(usage.cacheWrite) * prices.cacheWrite +
    BigInt(usage.audioPrompt) * prices.audioPrompt +
    BigInt(plainCompletion) * prices.completion +
    BigInt(usage.audioCompletion) * prices.audioCompletion;
  return divideRoundingUp(sum, tokensPerPrice) + prices.request;
}

function largest(first: bigint, ...rest: bigint[]): bigint {
  return rest.reduce((most, value) => (value > most ? value : most), first);
}

/** What bounds the cost of a call before it starts. */
export interface QuoteBounds {
  /** Upper bound of the prompt's tokens. */
  promptTokens: number;
  /** Upper bound of one choice's output tokens. */
  outputTokens: number;
  /** Number of choices (OpenAI's `n`). */
  choices: number;
}

/** The most that a call within `bounds` can cost, whichever price its tokens fall under. */
export function quoteOfBounds(bounds: QuoteBounds, prices: TokenPrices): bigint {
  const promptPrice = largest(prices.prompt, prices.cachedPrompt, prices.cacheWrite, prices.audioPrompt);
  const outputPrice = largest(prices.completion, prices.audioCompletion);
  const sum =
    BigInt(bounds.promptTokens) * promptPrice + BigInt(bounds.outputTokens) * BigInt(bounds.choices) * outputPrice;
  return divideRoundingUp(sum, tokensPerPrice) + prices.request;
}

/** The most output tokens (per choice) that `budget` buys; negative if not even the prompt fits. */
export function outputTokensWithin(
  budget: bigint,
  bounds: Pick<QuoteBounds, 'promptTokens' | 'choices'>,
  prices: TokenPrices,
): bigint {
  const promptPrice = largest(prices.prompt, prices.cachedPrompt, prices.cacheWrite, prices.audioPrompt);
  const outputPrice = largest(prices.completion, prices.audioCompletion);
  const left = (budget - prices.request) * tokensPerPrice - BigInt(bounds.promptTokens) * promptPrice;
  if (left < 0n) return -1n;
  return outputPrice === 0n ? BigInt(Number.MAX_SAFE_INTEGER) : left / (outputPrice * BigInt(bounds.choices));
}

/**
 * The template overhead that is added to a body's byte length to bound its prompt tokens: byte-level BPE never makes
 * more tokens than bytes, and the JSON around a message is longer than the template that replaces it.
 */
export const promptOverheadTokens = 64;
