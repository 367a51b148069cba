import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { createExpiringMap } from './expiring-map.ts';
import { createTokenBucket, type TokenBucket } from './token-bucket.ts';

/** Bounds how often one channel's vouchers are stored that pay for no call. */
export interface VoucherPace {
  /** @throws AutoPayError `rate_limit_exceeded` */
  take(channelId: Hex): void;
}

/** The draft's own limit ("Denial of Service"), with room for a burst. */
const perSecond = 10;
const burst = 30;

/** Makes the bound; it forgets channels that rest. */
export function createVoucherPace(nowMs: () => number): VoucherPace {
  const channels = createExpiringMap<TokenBucket>(60_000, nowMs);
  return {
    take(channelId) {
      const bucket = channels.get(channelId) ?? createTokenBucket({ burst, perSecond, nowMs });
      channels.set(channelId, bucket);
      if (bucket.take()) return;
      const message = `A channel may send ${perSecond} vouchers per second without calls. Sign larger steps.`;
      throw new AutoPayError('rate_limit_exceeded', message, { facts: { channelId, retryAfterSeconds: 1 } });
    },
  };
}
