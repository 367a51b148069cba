import type { ChainWriter } from './group-worker.ts';
import type { PurchaseLedger } from './purchase-ledger.ts';

/** The main thread's side of the books of what the relay buys. */
export function createPurchaseLedger(worker: ChainWriter): PurchaseLedger {
  return {
    openPurchase: (request) => worker.call('openPurchase', request),
    closePurchase: (end) => worker.call('closePurchase', end),
    listUnknownPurchases: (options) => worker.call('listUnknownPurchases', options),
    listPurchases: (options) => worker.call('listPurchases', options),
    spentOnPurchases: (place) => worker.call('spentOnPurchases', place),
    findPurchaseChannel: (key) => worker.call('findPurchaseChannel', key),
    addPurchaseChannel: (channel) => worker.call('addPurchaseChannel', channel),
    changePurchaseChannel: (change) => worker.call('changePurchaseChannel', change),
    beginRefill: (request) => worker.call('beginRefill', request),
    endRefill: (result) => worker.call('endRefill', result),
    reconcileChannel: (told) => worker.call('reconcileChannel', told),
  };
}
