import type { TokenPrices } from './token-prices.ts';

/** For tests: one price for each token of a prompt and one for each of an answer, whatever it holds; nothing for the request itself. */
export function plainPrices(prompt: bigint, completion = prompt): TokenPrices {
  return {
    ...{ prompt, cachedPrompt: prompt, cacheWrite: prompt, audioPrompt: prompt },
    ...{ completion, audioCompletion: completion, request: 0n },
  };
}
