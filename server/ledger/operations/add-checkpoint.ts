import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { StoredCheckpoint } from '../background-ledger.ts';
import type { ChargeStore } from '../charge-store.ts';
import type { CheckpointStore } from '../checkpoint-store.ts';

/**
 * Records a signed checkpoint; of the same size and root, its note takes the place of the one before.
 * @throws AutoPayError `log_rolled_back` if a larger one was recorded; `log_forked` if one of this size had another root;
 * `internal_error` if it reaches beyond the log
 */
export function createAddCheckpoint(stores: { checkpoints: CheckpointStore; charges: ChargeStore }) {
  const { checkpoints, charges } = stores;
  return function addCheckpoint(checkpoint: StoredCheckpoint): void {
    const { size, root } = checkpoint;
    const newest = checkpoints.newest();
    if (newest !== undefined && size < newest.size) {
      throw new AutoPayError(
        'log_rolled_back',
        `The log of ${newest.size} entries cannot be signed with ${size} again.`,
      );
    }
    if (newest?.size === size && Buffer.compare(newest.root, root) !== 0) {
      throw new AutoPayError('log_forked', `The log of ${size} entries was signed with another root.`);
    }
    if (size > charges.count()) {
      throw new AutoPayError('internal_error', `A checkpoint of ${size} reaches beyond the log of ${charges.count()}.`);
    }
    checkpoints.put(checkpoint);
  };
}
