import type { PriceRow } from '../../../protocol/pricing/price-row.ts';

/** How a route's answers are sold again. */
export interface CacheTerms {
  /** How long an answer may be sold again. */
  ttlMs: number;
  /** Who gets it: whoever it was made for, or every payer. */
  scope: 'payer' | 'shared';
  /** The name that it is sold by: `<route>@cache`. Price table, receipts and budgets go by it. */
  model: string;
  /** Its rows in the price table, one for each token; none of their tokens costs anything. */
  prices: readonly PriceRow[];
}

/** The provider of receipts for answers from the cache. Bookings need a payout address for it. */
export const cacheProvider = 'cache';

const suffix = '@cache';

/** The name that a route's cached answers are sold by. */
export function cachedModel(model: string): string {
  return `${model}${suffix}`;
}

/** The route whose answers are sold by a name; of other names, the name itself. */
export function uncachedModel(model: string): string {
  return model.endsWith(suffix) ? model.slice(0, -suffix.length) : model;
}
