import type { Hex } from '../../protocol/bytes/hex.ts';

/** One channel of a `BatchClosed` event. Amounts are atomic units. */
export interface Closure {
  channelId: Hex;
  /** The final cumulative total. */
  settled: bigint;
  /** What went back to the payer. */
  refund: bigint;
}

/** Unpacks `closures` of `BatchClosed`: 56 bytes each, channelId 32, settled 12, refund 12 (IPaymentChannels). */
export function listClosures(closures: Hex): Closure[] {
  return (closures.slice(2).match(/.{112}/g) ?? []).map((closure) => ({
    channelId: `0x${closure.slice(0, 64)}`,
    settled: BigInt(`0x${closure.slice(64, 88)}`),
    refund: BigInt(`0x${closure.slice(88)}`),
  }));
}
