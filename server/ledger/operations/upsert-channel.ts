import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { ChannelOnChain, ChannelState } from '../ledger.ts';

const fixedFields = ['payer', 'payee', 'token', 'salt', 'authorizedSigner'] as const;

/**
 * Records a channel as read from the chain. Reads can arrive out of order, so what only ever grows on the chain (settled
 * amount, finality) is never taken back here.
 * @throws AutoPayError `internal_error` if the channel's identity differs from the recorded one.
 */
export function createUpsertChannel(stores: { channels: ChannelStore }) {
  const { channels } = stores;
  return function upsertChannel(channel: ChannelOnChain): ChannelState {
    const known = channels.find(channel.channelId);
    if (known === undefined) {
      channels.insert(channel);
      return channels.get(channel.channelId);
    }
    for (const field of fixedFields) {
      if (known[field] !== channel[field].toLowerCase()) {
        throw new AutoPayError('internal_error', `Channel ${known.channelId} cannot change its ${field}.`);
      }
    }
    const after: ChannelState = {
      ...known,
      deposit: channel.deposit,
      settled: channel.settled > known.settled ? channel.settled : known.settled,
      closeRequestedAt: channel.closeRequestedAt,
      finalized: known.finalized || channel.finalized,
    };
    channels.updateChainSide(after);
    return after;
  };
}
