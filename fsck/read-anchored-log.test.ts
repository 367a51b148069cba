import type { PublicClient } from 'viem';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, zeroAddress, type Hex } from '../protocol/bytes/hex.ts';
import { cidOfBlock, encodeBatchBlock } from '../protocol/log/batch-block.ts';
import { Frontier } from '../protocol/merkle/frontier.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { merkleRoot, verifyInclusion } from '../protocol/merkle/inclusion.ts';
import { encodeReceipt } from '../protocol/receipt/encode-receipt.ts';
import { makeReceipt, receiptChannel } from '../client/testing/sign-receipts.ts';
import { readAnchoredLog, type ProvenEntry } from './read-anchored-log.ts';

/** A chain with some anchors, and blocks by CID. */
class Log {
  readonly blocks = new Map<string, Uint8Array>();
  readonly #anchors: { size: bigint; previousSize: bigint; anchoredAt: bigint; root: Hex; cid: Hex }[] = [];

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
    const events = this.#anchors.map((args) => ({ args, transactionHash: '0x01' }));
    const client = { getBlockNumber: async () => 1n, getContractEvents: async () => events };
    return readAnchoredLog({
      client: client as unknown as PublicClient,
      ...{ auditLog: zeroAddress, deployedAtBlock: 1, channels: new Set([receiptChannel]) },
      blockSource: { get: async (cid) => this.blocks.get(cid.toString()) },
    });
  }
}

const own = [1, 2, 3].map((sequence) => encodeReceipt(makeReceipt({ sequence })));
const other = (sequence: number) => encodeReceipt(makeReceipt({ sequence, channelId: `0x${'c5'.repeat(32)}` }));
const [one = new Uint8Array(), two = new Uint8Array(), three = new Uint8Array()] = own;
const entries = [other(1), one, two, other(2), three];

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
    const found = log.entriesOf(receiptChannel).map(({ index, receipt }) => [index, receipt.sequence]);
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
});
