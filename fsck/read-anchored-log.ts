import type { PublicClient } from 'viem';
import { fromHex, toHex, type Hex } from '../protocol/bytes/hex.ts';
import { cidOfDigest } from '../protocol/log/batch-block.ts';
import { Frontier } from '../protocol/merkle/frontier.ts';
import { inclusionProofOf } from '../protocol/merkle/inclusion.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { readAnchors, toAnchorStruct, type ChainAnchor } from './chain-reader.ts';
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

/** The log as the newest anchor has it, with what earlier anchors say against it. */
export interface AnchoredLog {
  /** Entries under the newest anchor; 0 as long as nothing is anchored. */
  size: number;
  /** Where an entry with this leaf hash is; undefined if it is nowhere. */
  indexOf(leafHash: Hex): number | undefined;
  /** The entries of one of the channels that were asked for, in their order. */
  entriesOf(channelId: Hex): readonly { index: number; receipt: CallReceipt }[];
  /** For each earlier anchor that the log no longer leads to, the first entry that was changed, one of the channels' if there is one. */
  rewritten: readonly RewrittenIndex[];
  /** What is wrong and is no evidence for a contract, in words: an anchor whose blocks are gone, an entry that is no receipt. */
  faults: readonly string[];
}

/** Where the log is read from. */
export interface AnchoredLogOptions {
  client: PublicClient;
  auditLog: Hex;
  deployedAtBlock: number | bigint;
  blockSource: BlockSource;
  /** Channels whose entries are kept. */
  channels: ReadonlySet<string>;
}

/** The entries that one anchor stands for. */
interface Snapshot {
  anchor: ChainAnchor;
  entries: Uint8Array[];
  leafHashes: Uint8Array[];
}

/**
 * Reads the whole log behind the newest anchor, from the chain and content-addressed blocks alone, and compares it with every
 * earlier anchor: each of them has to be a prefix of it.
 * @throws as `LogWalk.back`: a block is missing, or has other bytes than its CID names, or does not lead to the anchored root.
 */
export async function readAnchoredLog(options: AnchoredLogOptions): Promise<AnchoredLog> {
  const { auditLog, blockSource, channels, client, deployedAtBlock } = options;
  const anchors = await readAnchors({ client, auditLog, deployedAtBlock: BigInt(deployedAtBlock) });
  const newest = anchors.at(-1);
  if (newest === undefined) {
    return { size: 0, indexOf: () => undefined, entriesOf: () => [], rewritten: [], faults: [] };
  }
  const log = await readSnapshot(blockSource, newest);
  const roots = rootsAt(log.leafHashes, new Set(anchors.map(({ size }) => Number(size))));
  const rewritten: RewrittenIndex[] = [];
  const faults: string[] = [];
  for (const anchor of anchors.slice(0, -1)) {
    if (roots.get(Number(anchor.size)) === anchor.root) continue;
    const words = `the log that is anchored now is not the one that was anchored with ${anchor.size} entries (${anchor.transactionHash})`;
    try {
      const found = findRewritten(await readSnapshot(blockSource, anchor), log, channels);
      if (found) rewritten.push(found);
    } catch (error) {
      faults.push(`${words}, whose blocks cannot be read any more: ${(error as Error).message}`);
    }
  }
  const positions = new Map(log.leafHashes.map((leafHash, index) => [toHex(leafHash), index]));
  const entries = entriesByChannel(log.entries, { channels, faults });
  return {
    size: log.leafHashes.length,
    indexOf: (leafHash) => positions.get(leafHash),
    entriesOf: (channelId) => entries.get(channelId) ?? [],
    rewritten,
    faults,
  };
}

/** Walks from an anchor's block back to the first; each block is checked as it is read. */
async function readSnapshot(source: BlockSource, anchor: ChainAnchor): Promise<Snapshot> {
  const cid = cidOfDigest(fromHex(anchor.cid, 32));
  const walk = new LogWalk(source, { cid, size: Number(anchor.size), root: fromHex(anchor.root, 32) });
  const blocks: WalkedBlock[] = [];
  for (let block = await walk.back(); block !== undefined; block = await walk.back()) blocks.push(block);
  blocks.reverse();
  return {
    anchor,
    entries: blocks.flatMap((block) => block.entries),
    leafHashes: blocks.flatMap((block) => block.leafHashes),
  };
}

/** The log's roots at some of its sizes. */
function rootsAt(leafHashes: readonly Uint8Array[], sizes: ReadonlySet<number>): Map<number, Hex> {
  const tree = new Frontier();
  const roots = new Map<number, Hex>();
  for (const leafHash of leafHashes) {
    tree.append(leafHash);
    if (sizes.has(tree.size)) roots.set(tree.size, toHex(tree.root()));
  }
  return roots;
}

/** The first position at which two logs differ: one whose earlier entry is of the channels, else any. */
function findRewritten(earlier: Snapshot, later: Snapshot, channels: ReadonlySet<string>): RewrittenIndex | undefined {
  const changed = earlier.leafHashes.flatMap((leafHash, index) => {
    const now = later.leafHashes[index];
    return now === undefined || Buffer.compare(leafHash, now) === 0 ? [] : [index];
  });
  const isOurs = (index: number) => channels.has(tryDecode(earlier.entries[index])?.channelId ?? '');
  const index = changed.find(isOurs) ?? changed[0];
  return index === undefined ? undefined : { earlier: prove(earlier, index), later: prove(later, index) };
}

function prove({ anchor, entries, leafHashes }: Snapshot, index: number): ProvenEntry {
  return {
    entry: toHex(entries[index] ?? new Uint8Array()),
    index: BigInt(index),
    anchor: toAnchorStruct(anchor),
    path: inclusionProofOf(leafHashes, index).map(toHex),
  };
}

function entriesByChannel(
  entries: readonly Uint8Array[],
  { channels, faults }: { channels: ReadonlySet<string>; faults: string[] },
): Map<string, { index: number; receipt: CallReceipt }[]> {
  const found = new Map<string, { index: number; receipt: CallReceipt }[]>();
  for (const [index, entry] of entries.entries()) {
    const receipt = tryDecode(entry);
    if (receipt === undefined) faults.push(`entry ${index} of the log is no receipt`);
    if (receipt === undefined || !channels.has(receipt.channelId)) continue;
    const known = found.get(receipt.channelId) ?? [];
    known.push({ index, receipt });
    found.set(receipt.channelId, known);
  }
  return found;
}

/** One entry that nobody can read must not hide the others. */
function tryDecode(entry: Uint8Array | undefined): CallReceipt | undefined {
  try {
    return entry && decodeReceipt(entry);
  } catch {
    return undefined;
  }
}
