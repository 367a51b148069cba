import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { createExpiringMap } from './expiring-map.ts';
import { createTokenBucket, type TokenBucket } from './token-bucket.ts';

/** Bounds how many transactions the relay sends, at its own cost, because payers ask for them. */
export interface SponsorLimits {
  /**
   * Takes one of a payer's transactions.
   * @throws AutoPayError `rate_limit_exceeded`
   */
  take(payer: Hex): void;
}

const hourMs = 3_600_000;

/** Makes the limits; a payer that was not seen for an hour may have all of its transactions at once. */
export function createSponsorLimits(options: {
  perPayerPerHour: number;
  perHour: number;
  nowMs: () => number;
}): SponsorLimits {
  const { perPayerPerHour, perHour, nowMs } = options;
  const bucketOf = (hourly: number) =>
    createTokenBucket({ burst: hourly, perSecond: (hourly * 1_000) / hourMs, nowMs });
  const all = bucketOf(perHour);
  const payers = createExpiringMap<TokenBucket>(hourMs, nowMs);
  return {
    take(payer) {
      const bucket = payers.get(payer) ?? bucketOf(perPayerPerHour);
      payers.set(payer, bucket);
      // The payer's own first: one that has used its up must not use up the others'.
      if (bucket.take() && all.take()) return;
      throw new AutoPayError(
        'rate_limit_exceeded',
        'The relay has paid for enough transactions of late. Send yours to the escrow itself, or try again later.',
        { facts: { retryAfterSeconds: Math.ceil(hourMs / 1_000 / perPayerPerHour) } },
      );
    },
  };
}
