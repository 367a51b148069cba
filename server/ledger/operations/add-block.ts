import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { StoredBlock } from '../background-ledger.ts';
import type { ChargeStore } from '../charge-store.ts';
import type { LogStore } from '../log-store.ts';

/**
 * Records a block that was written; the same block again has no effect.
 * @throws AutoPayError `internal_error` if it does not start where the last one ends, reaches beyond the log, or another
 * block starts at the same index.
 */
export function createAddBlock(stores: { log: LogStore; charges: ChargeStore }) {
  const { log, charges } = stores;
  return function addBlock(block: StoredBlock): void {
    const known = log.findBlockByStart(block.start);
    if (known !== undefined) {
      if (known.cid === block.cid && known.size === block.size) return;
      throw new AutoPayError('internal_error', `The block at ${block.start} is ${known.cid}, not ${block.cid}.`);
    }
    const logged = log.lastBlock()?.size ?? 0;
    if (block.start !== logged) {
      throw new AutoPayError('internal_error', `The next block starts at ${logged}, not at ${block.start}.`);
    }
    if (block.size > charges.count()) {
      throw new AutoPayError(
        'internal_error',
        `A block up to ${block.size} reaches beyond the log of ${charges.count()}.`,
      );
    }
    log.insertBlock(block);
  };
}
