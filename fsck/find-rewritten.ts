import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { toAnchorStruct, type ChainAnchor } from './chain-reader.ts';
import { headOf } from './find-anchor.ts';
import { channelIdOf, tryScanEntry } from './scan-entry.ts';
import { proveInTail, TreeTail } from './tree-tail.ts';
import { LogWalk, type BlockSource, type WalkedBlock } from './walk-log.ts';

/** An entry with its place under an anchor, as BillingDisputes takes it (AnchoredEntry). */
export interface ProvenEntry {
  entry: Hex;
  index: bigint;
  anchor: ReturnType<typeof toAnchorStruct>;
  path: Hex[];
}

/** One position of the log that two anchors have two entries at. */
export interface RewrittenIndex {
  earlier: ProvenEntry;
  later: ProvenEntry;
}

/**
 * Compares the logs of two anchors, the later of which has to begin with the earlier, and proves the first position at which they
 * differ: one whose earlier entry is of the channels if there is one. Entries that are no receipts prove nothing to the contract, and are
 * passed over. Both logs are read once, and again as far as the position; of neither more than a block is held.
 * @returns undefined if no receipt was changed
 * @throws as `LogWalk.back`
 */
export async function findRewritten(
  source: BlockSource,
  anchors: { earlier: ChainAnchor; later: ChainAnchor },
  channels: ReadonlySet<string>,
): Promise<RewrittenIndex | undefined> {
  const { earlier, later } = anchors;
  const index = await findFirstChange(
    [new LogWalk(source, headOf(earlier)), new LogWalk(source, headOf(later))],
    channels,
  );
  if (index === undefined) return undefined;
  return { earlier: await prove(source, earlier, index), later: await prove(source, later, index) };
}

async function findFirstChange(
  [earlier, later]: readonly [LogWalk, LogWalk],
  channels: ReadonlySet<string>,
): Promise<number | undefined> {
  let [one, other] = [await earlier.back(), await later.back()];
  let [any, ours]: (number | undefined)[] = [];
  // One block has one past: below it nothing differs.
  while (one && other && !one.cid.equals(other.cid)) {
    for (const index of changesIn(one, other)) {
      const entry = one.entries[index - one.start];
      if (entry === undefined || tryScanEntry(entry) === undefined) continue;
      any = index;
      if (channels.has(channelIdOf(entry))) ours = index;
    }
    const [oneStart, otherStart] = [one.start, other.start];
    if (oneStart >= otherStart) one = await earlier.back();
    if (otherStart >= oneStart) other = await later.back();
  }
  return ours ?? any;
}

/** Where two blocks of two logs differ, from the end to the beginning of what both have. */
function* changesIn(one: WalkedBlock, other: WalkedBlock): Generator<number> {
  const start = Math.max(one.start, other.start);
  for (let index = Math.min(one.tree.size, other.tree.size) - 1; index >= start; index -= 1) {
    const [left, right] = [one.leafHashes[index - one.start], other.leafHashes[index - other.start]];
    if (left && right && Buffer.compare(left, right) !== 0) yield index;
  }
}

/** @throws RangeError if the log has no such entry; as `LogWalk.back` */
async function prove(source: BlockSource, anchor: ChainAnchor, index: number): Promise<ProvenEntry> {
  const walk = new LogWalk(source, headOf(anchor));
  const tail = new TreeTail(walk.size);
  for (let block = await walk.back(); block !== undefined; block = await walk.back()) {
    const entry = block.entries[index - block.start];
    if (entry) {
      const path = proveInTail(block, tail, { index, size: walk.size }).map(toHex);
      return { entry: toHex(entry), index: BigInt(index), anchor: toAnchorStruct(anchor), path };
    }
    tail.prepend(block.leafHashes);
  }
  throw new RangeError(`a log of ${walk.size} entries has no entry ${index}`);
}
