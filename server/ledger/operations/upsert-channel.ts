import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { CollectionStore } from '../collection-store.ts';
import type { ChannelOnChain, ChannelState } from '../ledger.ts';

const fixedFields = ['payer', 'payee', 'token', 'salt', 'authorizedSigner'] as const;

/**
 * Records a channel as read from the chain. Reads can arrive out of order: one at an older block than the recorded one
 * changes nothing, or it would reopen a channel whose close was seen since. What only ever grows on the chain (settled
 * amount, finality) is never taken back at all.
 * @throws AutoPayError `internal_error` if the channel's identity differs from the recorded one.
 */
export function createUpsertChannel(stores: { channels: ChannelStore; collections: CollectionStore }) {
  const { channels, collections } = stores;
  /** A close that the payer asked this relay for is on no chain yet; it holds until its collection has ended. */
  const isClosing = ({ channelId, closeRequestedAt }: ChannelState) =>
    closeRequestedAt !== 0 && collections.findOpen(channelId)?.closes === true;
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
    if (channel.readAtBlock < known.readAtBlock) return known;
    const after: ChannelState = {
      ...known,
      deposit: channel.deposit,
      settled: channel.settled > known.settled ? channel.settled : known.settled,
      closeRequestedAt: isClosing(known) ? known.closeRequestedAt : channel.closeRequestedAt,
      finalized: known.finalized || channel.finalized,
      readAtBlock: channel.readAtBlock,
    };
    channels.updateChainSide(after);
    return after;
  };
}
