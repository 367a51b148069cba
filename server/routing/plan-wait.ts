/** How long a call waits before it is sent once more. */
export interface BackoffTerms {
  firstMs: number;
  mostMs: number;
  /** The longest Retry-After that is waited for. */
  retryAfterMostMs: number;
}

/**
 * The wait before a repetition: what the provider asked for, a little more by chance so that not all come back at once; else
 * exponential, with up to half of it taken off by chance.
 * @param options.repetition 0 for the first
 * @param options.retryAfterMs what the last answer asked for; null if nothing
 * @param options.random in [0, 1)
 * @returns milliseconds; null if the wait would be longer than is waited for, or than the call has left
 */
export function planWait(
  terms: BackoffTerms,
  options: { repetition: number; retryAfterMs: number | null; leftMs: number; random: number },
): number | null {
  const { leftMs, random, repetition, retryAfterMs } = options;
  if (retryAfterMs !== null && retryAfterMs > terms.retryAfterMostMs) return null;
  const exponential = Math.min(terms.firstMs * 2 ** repetition, terms.mostMs);
  const waitMs =
    retryAfterMs === null
      ? Math.round(exponential * (1 - random / 2))
      : Math.round(retryAfterMs + (random * terms.firstMs) / 2);
  return waitMs < leftMs ? waitMs : null;
}
