import { type CID } from 'multiformats/cid';
import { toHex } from '../protocol/bytes/hex.ts';
import { cidOfDigest, decodeBatchBlock, type BatchBlock } from '../protocol/log/batch-block.ts';
import { Frontier } from '../protocol/merkle/frontier.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { BlockEnds } from './block-ends.ts';
import { Refuted } from './verification.ts';

/** Where blocks come from: a folder, a gateway. It need not be trusted. */
export interface BlockSource {
  /** The bytes of a block; undefined if it is not there. */
  get(cid: CID): Promise<Uint8Array | undefined>;
}

/** A block that was read, and the tree that its own bytes lead to. */
export interface WalkedBlock extends BatchBlock {
  cid: CID;
  leafHashes: Uint8Array[];
  /** Tree over all entries including the block's. */
  tree: Frontier;
}

/**
 * Reads a block.
 * @throws AutoPayError `verification_failed` or `invalid_encoding`, Error if the source does not have it.
 */
export async function readBlock(source: BlockSource, cid: CID): Promise<WalkedBlock> {
  const bytes = await source.get(cid);
  if (bytes === undefined) throw new Error(`block ${cid.toString()} is not at the source`);
  const block = decodeBatchBlock(bytes, cid);
  const leafHashes = block.entries.map((entry) => hashLeaf(entry));
  const tree = new Frontier(block.start, block.frontier);
  for (const leafHash of leafHashes) tree.append(leafHash);
  return { ...block, cid, leafHashes, tree };
}

/** Whether `later` continues exactly where `earlier` ends. */
export function continues(earlier: WalkedBlock, later: WalkedBlock): boolean {
  return (
    later.previous?.toString() === earlier.cid.toString() &&
    later.start === earlier.tree.size &&
    Buffer.compare(Buffer.concat(later.frontier), Buffer.concat(earlier.tree.roots)) === 0
  );
}

/** The end of a log: the newest block, and what it has to lead to. */
export interface LogHead {
  /** CID of the newest block. */
  cid: CID;
  /** Number of entries. */
  size: number;
  /** RFC 6962 root over them. */
  root: Uint8Array;
}

/** Bounds a walk, where a relay would make up ever more blocks: 720 MB. With one each 30 s a log has them after nine years. */
const maxBlocks = 10_000_000;

/**
 * Walks a log backwards, from a head that something vouches for. Each block is checked as it is read: against its CID, against the one
 * behind it, and so against the head's root. It remembers where blocks end, 72 bytes for each, and not what they hold.
 */
export class LogWalk {
  readonly #source: BlockSource;
  readonly #head: LogHead;
  readonly #ends: BlockEnds;
  #next: CID | null;
  #later: WalkedBlock | undefined;

  constructor(source: BlockSource, head: LogHead) {
    this.#source = source;
    this.#head = head;
    this.#ends = new BlockEnds(head.size);
    this.#next = head.cid;
  }

  /** Number of entries of the log. */
  get size(): number {
    return this.#head.size;
  }

  /** Number of blocks that were read. */
  get blockCount(): number {
    return this.#ends.length;
  }

  /** Log index from which on it was read. */
  get start(): number {
    return this.#ends.start;
  }

  /**
   * The next older block; undefined where the log begins.
   * @throws Refuted, or AutoPayError `verification_failed` or `invalid_encoding`, if it is not what the log says that it is; Error if
   *   the source does not have it.
   */
  async back(): Promise<WalkedBlock | undefined> {
    if (this.#next === null) return undefined;
    if (this.#ends.length === maxBlocks) throw new Refuted(`the log has more than ${maxBlocks} blocks`);
    const block = await readBlock(this.#source, this.#next);
    const { cid, tree, start } = block;
    if (this.#later === undefined) requireHead(block, this.#head);
    else if (!continues(block, this.#later)) {
      throw new Refuted(`block ${this.#later.cid.toString()} does not continue block ${cid.toString()}`);
    }
    if (block.previous === null && start !== 0) throw new Refuted(`block ${cid.toString()} begins the log at ${start}`);
    if (block.entries.length === 0) throw new Refuted(`block ${cid.toString()} has no entry`);
    this.#ends.push({ digest: cid.multihash.digest, start, root: tree.root() });
    this.#later = block;
    this.#next = block.previous;
    return block;
  }

  /**
   * The root that the log has at a size, for which it may walk on.
   * @throws as `back`; RangeError for a size that it does not have.
   */
  async rootAt(size: number): Promise<Uint8Array> {
    if (size < 1 || size > this.size) throw new RangeError(`a log of ${this.size} entries has no root at ${size}`);
    while (this.start >= size && (await this.back()) !== undefined);
    const found = this.#ends.find(size - 1);
    if (found === undefined) throw new Refuted(`no block of the log holds entry ${size - 1}`);
    if (found.end === size) return found.root;
    const { start, frontier, leafHashes } = await readBlock(this.#source, cidOfDigest(found.digest));
    const tree = new Frontier(start, frontier);
    for (const leafHash of leafHashes.slice(0, size - start)) tree.append(leafHash);
    return tree.root();
  }
}

function requireHead(block: WalkedBlock, { size, root }: LogHead): void {
  const { tree, cid } = block;
  if (tree.size === size && Buffer.compare(tree.root(), root) === 0) return;
  throw new Refuted(
    `block ${cid.toString()} leads to root ${toHex(tree.root())} of size ${tree.size}, not to the anchored one, ${toHex(root)} of size ${size}`,
  );
}
