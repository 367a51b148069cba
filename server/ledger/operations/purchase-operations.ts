import type { Hex } from '../../../protocol/bytes/hex.ts';
import { larger } from '../../../protocol/bytes/compare-amounts.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { PurchaseChannelStore } from '../purchase-channel-store.ts';
import type { PurchaseChannel, PurchaseChannelChange, PurchaseChannelKey, PurchaseLedger } from '../purchase-ledger.ts';
import type { PurchaseDay } from '../purchase-store.ts';
import { createClosePurchase, createReconcileChannel } from './close-purchase.ts';
import { createOpenPurchase, type PurchaseStores } from './open-purchase.ts';

/** The most purchases that one list answers; each may have a receipt of some kilobytes. */
const maxListed = 1_000;

type NewChannel = Parameters<PurchaseLedger['addPurchaseChannel']>[0];
type Listing = Parameters<PurchaseLedger['listPurchases']>[0];

/** The operations of `PurchaseLedger`, by name; each takes one argument. */
export function createPurchaseOperations(stores: PurchaseStores) {
  const { purchases, purchaseChannels } = stores;
  return {
    openPurchase: createOpenPurchase(stores),
    closePurchase: createClosePurchase(stores),
    reconcileChannel: createReconcileChannel(stores),
    listUnknownPurchases: ({ after, limit }: { after: number; limit: number }) =>
      purchases.list({ after, limit: Math.min(limit, maxListed), isUnknown: true }),
    listPurchases: (options: Listing) => purchases.list({ ...options, limit: Math.min(options.limit, maxListed) }),
    spentOnPurchases: (place: PurchaseDay): bigint => purchases.spentOn(place),
    findPurchaseChannel: (key: PurchaseChannelKey) => purchaseChannels.findBy(key),
    addPurchaseChannel({ amount, ...channel }: NewChannel): PurchaseChannel {
      const known = purchaseChannels.findBy(channel);
      if (known !== undefined) return known;
      const amounts = { deposit: 0n, signed: 0n, spent: 0n, reserved: 0n };
      const first = { ...channel, ...amounts, sequence: 0, lowSinceMs: null, stopped: null };
      purchaseChannels.insert({ ...first, refills: 1, refillAmount: amount });
      return requireChannel(purchaseChannels, channel.channelId);
    },
    changePurchaseChannel({ channelId, retired, ...change }: PurchaseChannelChange): void {
      const channel = requireChannel(purchaseChannels, channelId);
      const deposit = larger(channel.deposit, change.deposit ?? 0n);
      // The first reason is the one that an operator has to look into.
      const stopped = change.stopped == null ? change.stopped : (channel.stopped ?? change.stopped);
      const after = { ...channel, ...change, deposit, stopped: stopped === undefined ? channel.stopped : stopped };
      purchaseChannels.put(after, retired);
    },
    beginRefill({ channelId, amount }: { channelId: Hex; amount: bigint }): PurchaseChannel {
      const channel = requireChannel(purchaseChannels, channelId);
      if (channel.refillAmount !== null) return channel;
      const begun = { ...channel, refills: channel.refills + 1, refillAmount: amount };
      purchaseChannels.put(begun);
      return begun;
    },
    endRefill({ channelId, refill, deposit }: { channelId: Hex; refill: number; deposit: bigint }): void {
      const channel = requireChannel(purchaseChannels, channelId);
      if (channel.refills !== refill) return;
      purchaseChannels.put({
        ...channel,
        refillAmount: null,
        lowSinceMs: null,
        deposit: larger(channel.deposit, deposit),
      });
    },
  };
}

function requireChannel(channels: PurchaseChannelStore, channelId: Hex): PurchaseChannel {
  const channel = channels.find(channelId);
  if (channel === undefined) throw new AutoPayError('internal_error', `There is no purchase channel ${channelId}.`);
  return channel;
}
