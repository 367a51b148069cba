import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { StoredAnchor } from '../background-ledger.ts';
import type { LogStore } from '../log-store.ts';

/**
 * Records an anchor that succeeded; the same anchor again has no effect.
 * @throws AutoPayError `internal_error` if no block ends at its size, sizes do not grow, or another transaction
 * anchored it.
 */
export function createRecordAnchor(stores: { log: LogStore }) {
  const { log } = stores;
  return function recordAnchor(anchor: StoredAnchor): void {
    const known = log.findAnchor(anchor.size);
    if (known !== undefined) {
      if (known.transactionHash === anchor.transactionHash.toLowerCase()) return;
      throw new AutoPayError('internal_error', `Size ${anchor.size} was anchored by ${known.transactionHash}.`);
    }
    if (log.findBlock(anchor.size) === undefined) {
      throw new AutoPayError('internal_error', `No block ends at log size ${anchor.size}.`);
    }
    const last = log.lastAnchor()?.size ?? 0;
    if (anchor.size < last) throw new AutoPayError('internal_error', `Log size ${last} is anchored already.`);
    log.insertAnchor(anchor);
  };
}
