import type { ChannelStore } from '../channel-store.ts';
import type { KeyChannelStore } from '../key-channel-store.ts';
import type { ChannelState, VerifiedVoucher } from '../ledger.ts';
import { createAcceptVoucher } from './accept-voucher.ts';

/**
 * Raises the headroom of a channel by a voucher that admits no call, and lets the keys of its payer spend it.
 * @throws AutoPayError as `createAcceptVoucher`.
 */
export function createAcceptHeadroom(stores: { channels: ChannelStore; keyChannels: KeyChannelStore }) {
  const acceptVoucher = createAcceptVoucher(stores);

  return function acceptHeadroom({ voucher, nowMs }: { voucher: VerifiedVoucher; nowMs: number }): ChannelState {
    const channel = acceptVoucher(voucher);
    stores.keyChannels.put(channel, { channelId: channel.channelId, postedAtMs: nowMs });
    return channel;
  };
}
