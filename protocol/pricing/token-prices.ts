import type { TokenUsage } from '../receipt/call-receipt.ts';

/**
 * What a model costs per 1,000,000 tokens (`request`: per call), in atomic units of a token, or in US dollars with 8
 * decimals. `cachedPrompt`, `cacheWrite`, `audioPrompt` and `audioCompletion` are the prices of those *parts*, instead of,
 * not on top of, `prompt` and `completion`. Reasoning tokens cost what completion tokens cost.
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

/** How prices in US dollars become atomic units of a token: the answer of one oracle round. */
export interface UsdConversion {
  /** US dollars per whole token, times 10^answerDecimals; above zero. */
  answer: bigint;
  answerDecimals: number;
  tokenDecimals: number;
}

/** What calls cost in one token at one moment. */
export interface Tariff {
  prices: TokenPrices;
  /** Null: the prices are atomic units of the token. Else they are US dollars. */
  conversion: UsdConversion | null;
}

/** The number of tokens that a price is for. */
export const tokensPerPrice = 1_000_000n;

/** Decimals of prices in US dollars. */
export const usdDecimals = 8;

/** Rounded up, so that no call is free by division. */
export function divideRoundingUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}

/** The fraction by which an exact cost times 1,000,000 becomes atomic units (contracts/types/PriceRow.sol). */
function scaleOf(conversion: UsdConversion | null): { numerator: bigint; denominator: bigint } {
  if (conversion === null) return { numerator: 1n, denominator: tokensPerPrice };
  const { answer, answerDecimals, tokenDecimals } = conversion;
  if (answer <= 0n) throw new RangeError('a price feed’s answer has to be above zero');
  return {
    numerator: 10n ** BigInt(tokenDecimals + answerDecimals),
    denominator: tokensPerPrice * 10n ** BigInt(usdDecimals) * answer,
  };
}

function toAtomic(scaledCost: bigint, conversion: UsdConversion | null): bigint {
  const { numerator, denominator } = scaleOf(conversion);
  return divideRoundingUp(scaledCost * numerator, denominator);
}

/**
 * The cost of `usage` in atomic units: one exact sum, rounded up once. It is what `PriceRows.costInToken` and
 * `PriceRows.costFromUsd` compute on the chain.
 * @throws RangeError if the parts of the usage exceed the whole
 */
export function costOfUsage(usage: TokenUsage, { prices, conversion }: Tariff): bigint {
  const plainPrompt = usage.prompt - usage.cachedPrompt - usage.cacheWrite - usage.audioPrompt;
  const plainCompletion = usage.completion - usage.audioCompletion;
  if (plainPrompt < 0 || plainCompletion < 0) throw new RangeError('the parts of the usage exceed the whole');
  const scaledCost =
    BigInt(plainPrompt) * prices.prompt +
    BigInt(usage.cachedPrompt) * prices.cachedPrompt +
    BigInt(usage.cacheWrite) * prices.cacheWrite +
    BigInt(usage.audioPrompt) * prices.audioPrompt +
    BigInt(plainCompletion) * prices.completion +
    BigInt(usage.audioCompletion) * prices.audioCompletion +
    prices.request * tokensPerPrice;
  return toAtomic(scaledCost, conversion);
}

/** An amount of US dollars (8 decimals) in atomic units, rounded up. */
export function atomicOfUsd(usd: bigint, conversion: UsdConversion): bigint {
  return toAtomic(usd * tokensPerPrice, conversion);
}

function largest(first: bigint, ...rest: bigint[]): bigint {
  return rest.reduce((most, value) => (value > most ? value : most), first);
}

function dearestPrices(prices: TokenPrices): { prompt: bigint; output: bigint } {
  return {
    prompt: largest(prices.prompt, prices.cachedPrompt, prices.cacheWrite, prices.audioPrompt),
    output: largest(prices.completion, prices.audioCompletion),
  };
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

/** The most that a call within `bounds` can cost, in atomic units, whichever price its tokens fall under. */
export function quoteOfBounds(bounds: QuoteBounds, { prices, conversion }: Tariff): bigint {
  const dearest = dearestPrices(prices);
  const scaledCost =
    BigInt(bounds.promptTokens) * dearest.prompt +
    BigInt(bounds.outputTokens) * BigInt(bounds.choices) * dearest.output +
    prices.request * tokensPerPrice;
  return toAtomic(scaledCost, conversion);
}

/** The most output tokens (per choice) that `budget` atomic units buy; negative if not even the prompt fits. */
export function outputTokensWithin(
  budget: bigint,
  bounds: Pick<QuoteBounds, 'promptTokens' | 'choices'>,
  { prices, conversion }: Tariff,
): bigint {
  if (budget < 0n) return -1n;
  const dearest = dearestPrices(prices);
  const { numerator, denominator } = scaleOf(conversion);
  // The largest cost that is still `budget` when it is rounded up.
  const affordable = (budget * denominator) / numerator;
  const left = affordable - prices.request * tokensPerPrice - BigInt(bounds.promptTokens) * dearest.prompt;
  if (left < 0n) return -1n;
  return dearest.output === 0n ? BigInt(Number.MAX_SAFE_INTEGER) : left / (dearest.output * BigInt(bounds.choices));
}

/**
 * The template overhead that is added to a body's byte length to bound its prompt tokens: byte-level BPE never makes
 * more tokens than bytes, and the JSON around a message is longer than the template that replaces it.
 */
export const promptOverheadTokens = 64;
