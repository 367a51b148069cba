import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { Collection } from '../background-ledger.ts';
import type { ClosingRequest } from '../channel-ledger.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { CollectionStore } from '../collection-store.ts';
import type { ChannelState, VerifiedVoucher } from '../ledger.ts';
import { refuse, requireDeposit } from './accept-voucher.ts';
import { maxChargesPerCollection } from './open-collection.ts';

/** Well-formed, and nobody's. A claim that takes nothing needs none (PaymentChannels, `closeBatch`). */
const noSignature: Hex = `0x${'00'.repeat(64)}1b`;

interface Stores {
  channels: ChannelStore;
  collections: CollectionStore;
}

/**
 * Begins the close that a channel's payer asks for, by a collection that takes what was charged and gives back the rest. From
 * here on the channel counts as closing, so that nothing new is charged to it. While it is under way, asking again gives the
 * same collection.
 *
 * @returns `collecting` while an ordinary collection has to end first: what the channel owes must be in one place.
 * @throws AutoPayError `voucher_already_used` if anybody can have read the voucher on the chain, `channel_in_use` while calls are under way on it, `channel_not_found`, `channel_finalized`,
 * `amount_exceeds_deposit`.
 */
export function createOpenClosing({ channels, collections }: Stores) {
  /** The best voucher that there is: the one that came, or a higher one that was accepted before (draft, "Cooperative Close"). */
  function accept(channel: ChannelState, voucher: VerifiedVoucher | null): ChannelState {
    if (voucher === null) return channel;
    const isHigher = voucher.cumulativeAmount > channel.acceptedCumulative || channel.acceptedSignature === null;
    if (!isHigher) return channel;
    const { cumulativeAmount: acceptedCumulative, signature: acceptedSignature } = voucher;
    return { ...channel, acceptedCumulative, acceptedSignature };
  }

  return function openClosing(request: ClosingRequest): Collection | 'collecting' {
    const { channelId, voucher, nowMs } = request;
    const channel = channels.find(channelId);
    if (channel === undefined) throw refuse('channel_not_found', 'The relay does not know this channel.', request);
    if (channel.finalized) throw refuse('channel_finalized', 'This channel is closed already.', request);
    const open = collections.findOpen(channelId);
    if (open?.closes) return collections.read(open);
    if (voucher && collections.isPublished(channelId, voucher.cumulativeAmount)) {
      // Whoever reads the chain could close the channels of others with theirs.
      const message =
        'A collection has shown this voucher to everybody, so it does not say that you want this. Sign another one, such as over requiredCumulative; only what was charged is taken.';
      const requiredCumulative = String(channel.acceptedCumulative + 1n);
      throw refuse('voucher_already_used', message, request, { requiredCumulative });
    }
    if (open !== undefined) return 'collecting';
    if (channel.reserved > 0n) {
      const message = 'Calls are under way on this channel. Wait for their ends, then close it.';
      throw refuse('channel_in_use', message, request, { reserved: String(channel.reserved) });
    }
    if (voucher) requireDeposit(channel, voucher);
    const last = collections.lastUncollected(channelId, maxChargesPerCollection);
    // More than one collection may take: the ordinary ones go first.
    if (last !== undefined && last.count === maxChargesPerCollection) return 'collecting';

    const after = accept(channel, voucher);
    const closing = channel.closeRequestedAt === 0 ? Math.floor(nowMs / 1_000) : channel.closeRequestedAt;
    channels.updateBooks(after);
    channels.updateChainSide({ ...after, closeRequestedAt: closing });
    const id = collections.insert({ source: 'channels', token: channel.token, closes: true });
    collections.insertClaim(id, {
      channel: after,
      maximum: after.acceptedCumulative,
      signature: after.acceptedSignature ?? noSignature,
      claimed: channel.charged,
      throughSequence: channel.sequence,
    });
    const row = collections.find(id);
    if (row === undefined) throw new AutoPayError('internal_error', `Collection ${id} was not stored.`);
    return collections.read(row);
  };
}
