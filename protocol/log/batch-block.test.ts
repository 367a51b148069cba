import { describe, expect, it } from 'vitest';
import { Frontier } from '../merkle/frontier.ts';
import { hashLeaf } from '../merkle/hashes.ts';
import { merkleRoot } from '../merkle/inclusion.ts';
import {
  cidOfBlock,
  cidOfDigest,
  decodeBatchBlock,
  encodeBatchBlock,
  maxBlockBytes,
  maxBlockEntries,
} from './batch-block.ts';

const entries = Array.from({ length: 7 }, (_, index) => Buffer.from([index]));

describe('batch blocks', () => {
  it('carry a frontier with which the root follows from the block alone', () => {
    const frontier = new Frontier();
    for (const entry of entries.slice(0, 5)) frontier.append(hashLeaf(entry));
    const first = encodeBatchBlock({ previous: null, start: 0, frontier: [], entries: entries.slice(0, 5) });
    const second = encodeBatchBlock({
      previous: cidOfBlock(first),
      start: 5,
      frontier: frontier.roots,
      entries: entries.slice(5),
    });
    const block = decodeBatchBlock(second, cidOfBlock(second));
    const tree = new Frontier(block.start, block.frontier);
    for (const entry of block.entries) tree.append(hashLeaf(entry));
    expect(tree.root()).toEqual(merkleRoot(entries.map(hashLeaf)));
    expect(block.previous?.toString()).toBe(cidOfBlock(first).toString());
    expect(cidOfDigest(cidOfBlock(first).multihash.digest).toString()).toBe(cidOfBlock(first).toString());
  });

  it('have the same bytes whichever kind of byte array their entries are', () => {
    const shared = new Uint8Array(64).fill(7);
    const kinds = [Buffer.from([1, 2]), Uint8Array.of(1, 2), new Uint8Array([0, 1, 2, 3]).subarray(1, 3)];
    const [first, ...others] = kinds.map((entry) =>
      encodeBatchBlock({ previous: null, start: 2, frontier: [shared.subarray(0, 32)], entries: [entry] }),
    );
    for (const other of others) expect(other).toEqual(first);
    // version 1, entries [h'0102'], in the order of dag-cbor: by length of key, then by bytes.
    expect(Buffer.from(first ?? []).toString('hex')).toContain('67656e747269657381420102');
  });

  it('are refused under another CID, and when they are something else', () => {
    const bytes = encodeBatchBlock({ previous: null, start: 0, frontier: [], entries });
    const flipped = Uint8Array.from(bytes);
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
    expect(() => decodeBatchBlock(flipped, cidOfBlock(bytes))).toThrow(/has the CID/);
    const other = Uint8Array.from([0xa0]);
    expect(() => decodeBatchBlock(other, cidOfBlock(other))).toThrow(/not a batch/);
  });

  it('may be as large as one can be, and no larger', () => {
    const block = (count: number, length: number) =>
      encodeBatchBlock({
        previous: null,
        start: 0,
        frontier: [],
        entries: Array<Buffer>(count).fill(Buffer.alloc(length)),
      });
    const read = (bytes: Uint8Array) => decodeBatchBlock(bytes, cidOfBlock(bytes));
    expect(read(block(maxBlockEntries, 200)).entries).toHaveLength(maxBlockEntries);
    const refused = { code: 'invalid_encoding' };
    expect(() => read(block(maxBlockEntries + 1, 200))).toThrow(expect.objectContaining(refused));
    expect(read(block(1, maxBlockBytes - 100)).entries).toHaveLength(1);
    expect(() => read(block(1, maxBlockBytes))).toThrow(expect.objectContaining(refused));
  });

  it('of millions of empty entries, or lists in lists, are refused before anything is made of them', () => {
    const head = Buffer.from('a56573746172740067656e7472696573', 'hex');
    const hostile = [
      // A list of 999,900 empty byte strings; of as many empty maps; lists in lists; a list that says that it has 2^32.
      Buffer.concat([head, Buffer.from('9a000f41dc', 'hex'), Buffer.alloc(999_900, 0x40)]),
      Buffer.concat([head, Buffer.from('9a000f41dc', 'hex'), Buffer.alloc(999_900, 0xa0)]),
      Buffer.concat([head, Buffer.alloc(999_900, 0x81)]),
      Buffer.concat([head, Buffer.from('9b0000000100000000', 'hex'), Buffer.alloc(900_000, 0x40)]),
    ];
    for (const bytes of hostile) {
      const cid = cidOfBlock(bytes);
      const before = process.memoryUsage();
      expect(() => decodeBatchBlock(bytes, cid)).toThrow(expect.objectContaining({ code: 'invalid_encoding' }));
      const after = process.memoryUsage();
      const grown = after.heapUsed + after.external - before.heapUsed - before.external;
      expect(grown).toBeLessThan(4_000_000);
    }
  });

  it('that are cut off, or whose strings say that they are longer, are refused', () => {
    const bytes = encodeBatchBlock({ previous: null, start: 0, frontier: [], entries });
    const broken = [...Array.from({ length: bytes.length }, (_, length) => bytes.subarray(0, length))];
    for (const length of ['5b7fffffffffffffff', '5bffffffffffffffff', '5affffffff', '59ffff', '58', '5f', '7f', 'ff'])
      broken.push(Buffer.concat([bytes.subarray(0, 16), Buffer.from(length, 'hex')]));
    for (const part of broken) {
      expect(() => decodeBatchBlock(part, cidOfBlock(part))).toThrow(
        expect.objectContaining({ code: 'invalid_encoding' }),
      );
    }
  });
});
