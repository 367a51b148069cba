import { larger } from '../bytes/compare-amounts.ts';

/**
 * The least amount of a voucher that admits one more call, in atomic units. Parallel calls are normal, so it covers what was
 * spent, what is in flight (`reserved`) and this call; and it is above every voucher before, because a voucher admits one call.
 * @param channel.newest the highest voucher so far
 * @param channel.required what the relay says that it takes; 0 if it has not said
 */
export function nextVoucherAmount(
  channel: { spent: bigint; reserved: bigint; newest: bigint; required?: bigint },
  quote: bigint,
): bigint {
  const covering = larger(channel.spent + channel.reserved + quote, channel.required ?? 0n);
  return larger(covering, channel.newest + 1n);
}
