import type { CID } from 'multiformats/cid';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { encodeBatchBlock, maxBlockBytes, maxBlockEntries } from '../../protocol/log/batch-block.ts';
import { type Frontier } from '../../protocol/merkle/frontier.ts';
import { appendLeaves } from './append-leaves.ts';

/** What is known of the log before a block. */
export interface LogHead {
  /** CID of the block before; null before the first. */
  previous: CID | null;
  /** Tree over all entries so far. */
  frontier: Frontier;
}

/** A block, and the tree with it. */
export interface CutBlock {
  bytes: Uint8Array;
  /** Tree over all entries including the block's. */
  frontier: Frontier;
  /** Number of entries in the block. */
  count: number;
}

/** dag-cbor overhead of one byte string: at most 5 bytes of header below 4 GiB. */
const entryOverheadBytes = 5;

/**
 * Cuts the next block: as many of the entries, from the first, as fit `maxBytes`, and `maxBlockEntries` at most. The event loop goes on
 * meanwhile; what is done at a stretch takes about a millisecond.
 * @throws AutoPayError `internal_error` if not even one fits.
 */
export async function cutBlock(
  head: LogHead,
  entries: readonly Uint8Array[],
  { maxBytes = maxBlockBytes }: { maxBytes?: number } = {},
): Promise<CutBlock> {
  const start = head.frontier.size;
  const encode = (count: number): Uint8Array =>
    encodeBatchBlock({
      previous: head.previous,
      start,
      frontier: head.frontier.roots,
      entries: entries.slice(0, count),
    });
  // The empty block may be shorter by the list header of the full one, which is at most 5 bytes too.
  let room = maxBytes - encode(0).length - entryOverheadBytes;
  let count = 0;
  for (const entry of entries) {
    room -= entry.length + entryOverheadBytes;
    if (room < 0 || count === maxBlockEntries) break;
    count += 1;
  }
  if (count === 0) {
    throw new AutoPayError(
      'internal_error',
      `Log entry ${start} is missing, or too long for a block of ${maxBytes} bytes.`,
    );
  }
  const frontier = head.frontier.clone();
  await appendLeaves(frontier, entries.slice(0, count));
  return { bytes: encode(count), frontier, count };
}
