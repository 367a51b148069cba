import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { PublicClient } from 'viem';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, zeroAddress } from '../protocol/bytes/hex.ts';
import { cidOfBlock, encodeBatchBlock } from '../protocol/log/batch-block.ts';
import { Frontier } from '../protocol/merkle/frontier.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { merkleRoot, verifyInclusion } from '../protocol/merkle/inclusion.ts';
import { encodeReceipt } from '../protocol/receipt/encode-receipt.ts';
import { makeReceipt, receiptChannel } from '../client/testing/sign-receipts.ts';
import type { ChainAnchor } from './chain-reader.ts';
import type { ProvenEntry } from './find-rewritten.ts';
import { readAnchoredLog } from './read-anchored-log.ts';
import type { BlockSource } from './walk-log.ts';

type Anchored = Omit<ChainAnchor, 'transactionHash'>;

/** A chain with some anchors, and blocks by CID. */
class Log {
  readonly blocks = new Map<string, Uint8Array>();
  readonly #anchors: Anchored[] = [];

  /** Anchors a log, cut into blocks of so many entries. */
  anchor(entries: readonly Uint8Array[], perBlock = 2): this {
    const tree = new Frontier();
    let previous: ReturnType<typeof cidOfBlock> | null = null;
    for (let start = 0; start < entries.length; start += perBlock) {
      const part = entries.slice(start, start + perBlock);
      const bytes: Uint8Array = encodeBatchBlock({ previous, start, frontier: tree.roots, entries: part });
      for (const entry of part) tree.append(hashLeaf(entry));
      previous = cidOfBlock(bytes);
      this.blocks.set(previous.toString(), bytes);
    }
    const root = toHex(merkleRoot(entries.map((entry) => hashLeaf(entry))));
    const previousSize = this.#anchors.at(-1)?.size ?? 0n;
    const cid = toHex(previous?.multihash.digest ?? new Uint8Array());
    this.#anchors.push({ size: BigInt(entries.length), previousSize, anchoredAt: 1n, root, cid });
    return this;
  }

  read() {
    return readFrom(this.#anchors, { get: async (cid) => this.blocks.get(cid.toString()) });
  }
}

/** What of a chain with these anchors, and of these blocks, is read for the payer of the channel. */
function readFrom(anchors: readonly Anchored[], blockSource: BlockSource) {
  const events = anchors.map((args) => ({ args, transactionHash: '0x01' }));
  const client = { getBlockNumber: async () => 1n, getContractEvents: async () => events };
  return readAnchoredLog({
    ...{ client: client as unknown as PublicClient, blockSource },
    ...{ auditLog: zeroAddress, deployedAtBlock: 1, channels: new Set([receiptChannel]), leaves },
  });
}

const own = [1, 2, 3].map((sequence) => encodeReceipt(makeReceipt({ sequence })));
const other = (sequence: number) => encodeReceipt(makeReceipt({ sequence, channelId: `0x${'c5'.repeat(32)}` }));
const [one = new Uint8Array(), two = new Uint8Array(), three = new Uint8Array()] = own;
const entries = [other(1), one, two, other(2), three];
const leaves = new Set([...entries, other(3)].map((entry) => toHex(hashLeaf(entry))));

/** Whether a proven entry would convince the contract. */
function holds({ anchor, entry, index, path }: ProvenEntry): boolean {
  return verifyInclusion({
    ...{ leafHash: hashLeaf(fromHex(entry)), index: Number(index), size: Number(anchor.size) },
    ...{ path: path.map((hash) => fromHex(hash)), root: fromHex(anchor.root) },
  });
}

describe('the anchored log', () => {
  it('is empty before the first anchor', async () => {
    expect(await new Log().read()).toMatchObject({ size: 0, rewritten: [], faults: [] });
  });

  it('knows where each entry is, and a channel’s entries in their order', async () => {
    const log = await new Log().anchor(entries.slice(0, 1)).anchor(entries.slice(0, 3)).anchor(entries).read();
    expect(log).toMatchObject({ size: 5, rewritten: [], faults: [] });
    expect(entries.map((entry) => log.indexOf(toHex(hashLeaf(entry))))).toEqual([0, 1, 2, 3, 4]);
    expect(log.indexOf(toHex(hashLeaf(other(3))))).toBeUndefined();
    const found = log.entriesOf(receiptChannel).map(({ index, sequence }) => [index, sequence]);
    expect(found).toEqual([
      [1, 1],
      [2, 2],
      [4, 3],
    ]);
  });

  it('is refused where blocks are missing or lead elsewhere', async () => {
    const log = new Log().anchor(entries);
    const [first = ''] = log.blocks.keys();
    log.blocks.delete(first);
    await expect(log.read()).rejects.toThrow('is not at the source');
  });

  it('survives entries that are no receipts, and names them', async () => {
    const log = await new Log().anchor([one, Buffer.from('nonsense'), two]).read();
    expect(log.faults).toEqual(['entry 1 of the log is no receipt']);
    expect(log.entriesOf(receiptChannel)).toHaveLength(2);
  });
});

describe('a log that was rewritten', () => {
  it.each([
    ['an entry was changed', [other(1), three, two, other(2), three], 1],
    ['two entries changed places', [other(1), two, one, other(2), three], 1],
    ['one was left out', [other(1), two, other(2), three], 1],
    ['the changed ones are of others, but one', [other(9), three, two, other(2), three], 1],
    ['only others’ were changed', [other(9), one, two, other(2), three], 0],
  ])('is proven where %s', async (_, rewritten, index) => {
    const log = await new Log().anchor(entries.slice(0, 3)).anchor(rewritten).read();
    expect(log.rewritten).toHaveLength(1);
    const [{ earlier, later } = { earlier: undefined, later: undefined }] = log.rewritten;
    if (!earlier || !later) throw new Error('nothing was found');
    expect([earlier.index, later.index]).toEqual([BigInt(index), BigInt(index)]);
    expect([holds(earlier), holds(later), earlier.entry === later.entry]).toEqual([true, true, false]);
    expect(earlier.anchor.size).toBeLessThan(later.anchor.size);
  });

  it('is told of, though the blocks of the earlier log are gone', async () => {
    const log = new Log().anchor(entries.slice(0, 3));
    log.blocks.clear();
    const { rewritten, faults } = await log.anchor(entries.with(1, three)).read();
    expect(rewritten).toEqual([]);
    expect(faults).toEqual([expect.stringContaining('is not the one that was anchored with 3 entries')]);
  });

  it('is told of where what was changed is no receipt, and where another’s receipt became none', async () => {
    const nonsense = Buffer.from('nonsense');
    const log = new Log().anchor([one, nonsense, two]).anchor([one, Buffer.from('other'), two, three]);
    const { rewritten, faults } = await log.read();
    expect(rewritten).toEqual([]);
    expect(faults[0]).toMatch(/anchored with 3 entries .*, and none of the changed entries is a receipt$/);
    const now = await new Log().anchor([one, two]).anchor([nonsense, two, three]).read();
    expect(now.rewritten.map(({ later }) => later.entry)).toEqual([toHex(nonsense)]);
  });

  it('of many anchors, is proven by the newest of them', async () => {
    const log = new Log();
    const all = Array.from({ length: 21 }, (_, at) => encodeReceipt(makeReceipt({ sequence: at + 1 })));
    for (let size = 1; size <= 20; size += 1) log.anchor(all.slice(0, size), 3);
    const { rewritten, faults } = await log.anchor(all.with(0, other(1)), 3).read();
    expect(rewritten.map(({ earlier }) => earlier.anchor.size)).toEqual(
      Array.from({ length: 16 }, (_, at) => BigInt(at + 5)),
    );
    expect(rewritten.every(({ earlier, later }) => holds(earlier) && holds(later) && earlier.index === 0n)).toBe(true);
    expect(faults).toEqual(['4 older anchors are not of the log that is anchored now either']);
  });
});

describe('a log of 60,000 entries', () => {
  it('takes no more of the memory than a short one', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    // Blocks are made when they are asked for: what is held is held by the reader.
    const [perBlock, size] = [800, 60_000];
    const entry = other(1);
    const block = Array<Uint8Array>(perBlock).fill(entry);
    const [leaf, ownLeaf] = [hashLeaf(entry), hashLeaf(one)];
    const made = new Map<string, () => Uint8Array>();
    const tree = new Frontier();
    let previous: ReturnType<typeof cidOfBlock> | null = null;
    for (let start = 0; start < size; start += perBlock) {
      const parts = { previous, start, frontier: [...tree.roots], entries: start === 0 ? block.with(7, one) : block };
      const make = () => encodeBatchBlock(parts);
      for (const at of parts.entries.keys()) tree.append(start === 0 && at === 7 ? ownLeaf : leaf);
      previous = cidOfBlock(make());
      made.set(previous.toString(), make);
    }
    const held: number[] = [];
    const args = { size: BigInt(size), previousSize: 0n, anchoredAt: 1n, root: toHex(tree.root()) };
    const cid = toHex(previous?.multihash.digest ?? new Uint8Array());
    const log = await readFrom([{ ...args, cid }], {
      get: async (asked) => {
        if (held.length % 25 === 0) collectGarbage();
        const { external, heapUsed } = process.memoryUsage();
        held.push(heapUsed + external);
        return made.get(asked.toString())?.();
      },
    });
    expect(log).toMatchObject({ size, faults: [], rewritten: [] });
    expect(log.entriesOf(receiptChannel)).toMatchObject([{ index: 7, sequence: 1 }]);
    const collected = held.filter((_, at) => at % 25 === 0);
    const grown = (collected.at(-1) ?? Infinity) - (collected[1] ?? 0);
    // Its entries have 66 MB.
    expect(held).toHaveLength(75);
    expect(grown).toBeLessThan(30_000_000);
  }, 60_000);
});
