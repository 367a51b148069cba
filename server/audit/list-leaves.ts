import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';

/** Where leaf hashes come from. */
export type LeafSource = Pick<BackgroundLedger, 'listLeafHashes'>;

/** Bounds what one answer takes of the time of the ledger's writer, and of the main thread: calls wait for both. A few milliseconds. */
const pageSize = 1_000;

/**
 * The leaf hashes of log entries `from` to `to` (exclusive), a page at a time.
 * @throws AutoPayError `internal_error` if the ledger lacks one
 */
export async function* listLeaves(
  ledger: LeafSource,
  { from, to }: { from: number; to: number },
): AsyncGenerator<Uint8Array[]> {
  for (let next = from; next < to;) {
    const page = await ledger.listLeafHashes({ from: next, limit: Math.min(pageSize, to - next) });
    if (page.length === 0) {
      throw new AutoPayError('internal_error', `The ledger has no log entry ${next}. Run autopay fsck.`);
    }
    yield page;
    next += page.length;
  }
}
