import type { PublicClient } from 'viem';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { Frontier } from '../protocol/merkle/frontier.ts';
import { readAnchors, type ChainAnchor } from './chain-reader.ts';
import { headOf } from './find-anchor.ts';
import { findRewritten, type RewrittenIndex } from './find-rewritten.ts';
import { callIdOf, tryScanEntry } from './scan-entry.ts';
import { LogWalk, type BlockSource, type WalkedBlock } from './walk-log.ts';

/** What is kept of a channel's entry. Amounts are atomic units of the channel's token. */
export interface ChannelEntry {
  /** Its place in the log. */
  index: number;
  callId: string;
  sequence: number;
  runningTotal: bigint;
  amount: bigint;
}

/** The log as the newest anchor has it, with what earlier anchors say against it. */
export interface AnchoredLog {
  /** Entries under the newest anchor; 0 as long as nothing is anchored. */
  size: number;
  /** Where an entry is that was asked for, by its leaf hash; undefined if it is nowhere. */
  indexOf(leafHash: Hex): number | undefined;
  /** The entries of one of the channels that were asked for, in their order. */
  entriesOf(channelId: Hex): readonly ChannelEntry[];
  /** For each earlier anchor that the log no longer leads to, the first entry that was changed, one of the channels' if there is one. */
  rewritten: readonly RewrittenIndex[];
  /** What is wrong and is no evidence for a contract, in words: an anchor whose blocks are gone, an entry that is no receipt. */
  faults: readonly string[];
}

/** Where the log is read from, and what is kept of it. */
export interface AnchoredLogOptions {
  client: PublicClient;
  auditLog: Hex;
  deployedAtBlock: number | bigint;
  blockSource: BlockSource;
  /** Channels whose entries are kept. */
  channels: ReadonlySet<string>;
  /** Leaf hashes whose places are kept: those of the payer's receipts. */
  leaves: ReadonlySet<Hex>;
}

/** Anchors that the log is compared with entry by entry, once it does not lead to them: the newest ones, which have the most entries. */
const maxCompared = 16;
/** Entries that are no receipts and are named, the first ones. */
const maxNamed = 20;

/**
 * Reads the whole log behind the newest anchor, from the chain and content-addressed blocks alone, and compares it with every
 * earlier anchor: each of them has to be a prefix of it. Blocks are read one after the other, from the end to the beginning; what is
 * held grows with the payer's entries, not with the log.
 * @throws as `LogWalk.back`: a block is missing, or has other bytes than its CID names, or does not lead to the anchored root.
 */
export async function readAnchoredLog(options: AnchoredLogOptions): Promise<AnchoredLog> {
  const { auditLog, blockSource, channels, client, deployedAtBlock } = options;
  const anchors = await readAnchors({ client, auditLog, deployedAtBlock: BigInt(deployedAtBlock) });
  const newest = anchors.pop();
  if (newest === undefined) {
    return { size: 0, indexOf: () => undefined, entriesOf: () => [], rewritten: [], faults: [] };
  }
  const reader = new LogReader(options, anchors);
  const walk = new LogWalk(blockSource, headOf(newest));
  for (let block = await walk.back(); block !== undefined; block = await walk.back()) reader.read(block);
  const { differing, entries, places } = reader;
  const rewritten: RewrittenIndex[] = [];
  const faults: string[] = [];
  for (const anchor of differing.slice(0, maxCompared).reverse()) {
    const words = `the log that is anchored now is not the one that was anchored with ${anchor.size} entries (${anchor.transactionHash})`;
    try {
      const found = await findRewritten(blockSource, { earlier: anchor, later: newest }, channels);
      if (found) rewritten.push(found);
      else faults.push(`${words}, and none of the changed entries is a receipt`);
    } catch (error) {
      faults.push(`${words}, whose blocks cannot be read any more: ${(error as Error).message}`);
    }
  }
  const others = differing.length - maxCompared;
  if (others > 0) faults.push(`${others} older anchors are not of the log that is anchored now either`);
  return {
    size: walk.size,
    indexOf: (leafHash) => places.get(leafHash),
    entriesOf: (channelId) => entries.get(channelId) ?? [],
    rewritten,
    faults: [...faults, ...reader.describeUnreadable()],
  };
}

/** Takes the blocks of a log, from the newest to the oldest. */
class LogReader {
  /** By channel, in the order of the log once all was read. */
  readonly entries = new Map<string, ChannelEntry[]>();
  readonly places = new Map<Hex, number>();
  /** Earlier anchors that the log does not lead to, newest first. */
  readonly differing: ChainAnchor[] = [];
  readonly #options: Pick<AnchoredLogOptions, 'channels' | 'leaves'>;
  /** Earlier anchors that were not come to yet, oldest first. */
  readonly #anchors: ChainAnchor[];
  /** The lowest indexes, the lowest last. */
  readonly #unreadable: number[] = [];
  #unreadableCount = 0;

  constructor(options: Pick<AnchoredLogOptions, 'channels' | 'leaves'>, anchors: ChainAnchor[]) {
    this.#options = options;
    this.#anchors = anchors;
  }

  read(block: WalkedBlock): void {
    this.#compareAnchors(block);
    for (let position = block.entries.length - 1; position >= 0; position -= 1) {
      const [entry, leafHash] = [block.entries[position], block.leafHashes[position]];
      if (entry && leafHash) this.#take(entry, { index: block.start + position, leaf: toHex(leafHash) });
    }
    // The walk ends where the log begins.
    if (block.previous === null) for (const found of this.entries.values()) found.reverse();
  }

  describeUnreadable(): string[] {
    const named = this.#unreadable.toReversed().map((index) => `entry ${index} of the log is no receipt`);
    const more = this.#unreadableCount - named.length;
    return more > 0 ? [...named, `${more} later entries are no receipts either`] : named;
  }

  #take(entry: Uint8Array, { index, leaf }: { index: number; leaf: Hex }): void {
    const { channels, leaves } = this.#options;
    // Of two places the later one counts.
    if (leaves.has(leaf) && !this.places.has(leaf)) this.places.set(leaf, index);
    const facts = tryScanEntry(entry);
    if (facts === undefined) {
      this.#unreadableCount += 1;
      this.#unreadable.push(index);
      if (this.#unreadable.length > maxNamed) this.#unreadable.shift();
      return;
    }
    const { amount, channelId, runningTotal, sequence } = facts;
    if (!channels.has(channelId)) return;
    const found = this.entries.get(channelId) ?? [];
    found.push({ index, callId: callIdOf(entry), sequence, runningTotal, amount });
    this.entries.set(channelId, found);
  }

  /** The anchors that end in this block: its frontier and its leaves lead to their roots. */
  #compareAnchors({ frontier, leafHashes, start }: WalkedBlock): void {
    const first = this.#anchors.findLastIndex(({ size }) => Number(size) <= start) + 1;
    const tree = new Frontier(start, frontier);
    const here: ChainAnchor[] = [];
    for (const anchor of this.#anchors.splice(first)) {
      for (const leafHash of leafHashes.slice(tree.size - start, Number(anchor.size) - start)) tree.append(leafHash);
      if (toHex(tree.root()) !== anchor.root) here.push(anchor);
    }
    this.differing.push(...here.reverse());
  }
}
