import type { DuePayment } from './background-ledger.ts';

/** A payment that never ends, such as one by allowance, is not tried for ever: this long after its charge, seconds. */
export const mostRetrySeconds = 30 * 86_400;

/** Until when a lost payment is tried again, Unix seconds: as long as it is valid, but at most 30 days after its charge. */
export function retriedUntilSeconds({
  validBefore,
  chargedAtMs,
}: Pick<DuePayment, 'validBefore' | 'chargedAtMs'>): number {
  const latest = Math.floor(chargedAtMs / 1_000) + mostRetrySeconds;
  return validBefore === null ? latest : Math.min(validBefore, latest);
}
