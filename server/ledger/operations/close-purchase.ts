import { larger, smaller } from '../../../protocol/bytes/compare-amounts.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { PurchaseChannel, PurchaseEnd, PurchaseReceipt, SpentTold } from '../purchase-ledger.ts';
import { requirePurchase, type PurchaseStores } from './open-purchase.ts';

/**
 * Records what became of a purchase. Its cost takes the place of its maximum in the day and in the channel. A receipt whose running
 * total cannot be stops the channel: every purchase is in `spent` or in `reserved`, so no honest total is above both together.
 */
export function createClosePurchase({ purchases, purchaseChannels }: PurchaseStores) {
  return function closePurchase(end: PurchaseEnd): string | null {
    const purchase = requirePurchase(purchases, end.purchaseId);
    if (purchase.state === 'paid' || purchase.state === 'void') return null;
    const cost = end.state === 'paid' ? end.cost : end.state === 'void' ? 0n : undefined;
    if (end.state === 'paid' && (cost === undefined || cost > purchase.maximum)) {
      throw new AutoPayError('internal_error', `Purchase ${end.purchaseId} cannot have cost ${cost}.`);
    }
    purchases.update(end);
    if (cost !== undefined) purchases.putSpent(purchase, purchases.spentOn(purchase) - purchase.maximum + cost);
    const channel = purchase.channelId === null ? undefined : purchaseChannels.find(purchase.channelId);
    if (channel === undefined || cost === undefined) return null;
    const { receipt } = end;
    const problem = receipt ? problemOf(channel, receipt) : null;
    purchaseChannels.put({
      ...channel,
      reserved: larger(channel.reserved - purchase.maximum, 0n),
      stopped: channel.stopped ?? problem,
      ...(receipt && problem === null && advance(channel, receipt)),
    });
    return problem;
  };
}

function problemOf({ spent, reserved, signed }: PurchaseChannel, { runningTotal }: PurchaseReceipt): string | null {
  if (runningTotal > signed) return `its running total ${runningTotal} is above what was signed, ${signed}`;
  if (runningTotal <= spent + reserved) return null;
  return `its running total ${runningTotal} is above all that was bought, ${spent + reserved}`;
}

/** Of parallel calls the receipts come in any order. */
function advance(channel: PurchaseChannel, { sequence, runningTotal }: PurchaseReceipt): Partial<PurchaseChannel> {
  const { spent, sequence: known } = channel;
  return sequence > known ? { sequence, spent: larger(spent, runningTotal) } : {};
}

/**
 * Takes the seller's word for what was spent in all, where no purchase is open: those of unknown cost then cost the difference, the
 * oldest first. What cannot be stops the channel.
 */
export function createReconcileChannel({ purchases, purchaseChannels }: PurchaseStores) {
  return function reconcileChannel({ channelId, sequence, spent, upTo }: SpentTold): string | null {
    const channel = purchaseChannels.find(channelId);
    const unfinished = purchases.listUnfinished(channelId);
    if (channel === undefined) return null;
    // Of a call that was under way when it was asked, the seller's word may have all, or nothing.
    const isUnsure = unfinished.some(({ purchaseId, state }) => state === 'open' || purchaseId > upTo);
    if (isUnsure || channel.sequence !== sequence) return null;
    let rest = spent - channel.spent;
    const bound = unfinished.reduce((sum, { maximum }) => sum + maximum, 0n);
    if (rest < 0n || rest > bound) {
      const problem = `it says that ${spent} was spent, where it can be ${channel.spent} to ${channel.spent + bound}`;
      purchaseChannels.put({ ...channel, stopped: channel.stopped ?? problem });
      return problem;
    }
    for (const purchase of unfinished) {
      const cost = smaller(rest, purchase.maximum);
      rest -= cost;
      const day = requirePurchase(purchases, purchase.purchaseId);
      purchases.update({ purchaseId: purchase.purchaseId, state: cost === 0n ? 'void' : 'paid', cost });
      purchases.putSpent(day, purchases.spentOn(day) - purchase.maximum + cost);
    }
    purchaseChannels.put({ ...channel, spent, reserved: 0n });
    return null;
  };
}
