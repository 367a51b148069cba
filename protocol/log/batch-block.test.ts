import { describe, expect, it } from 'vitest';
import { Frontier } from '../merkle/frontier.ts';
import { hashLeaf } from '../merkle/hashes.ts';
import { merkleRoot } from '../merkle/inclusion.ts';
import { cidOfBlock, cidOfDigest, decodeBatchBlock, encodeBatchBlock } from './batch-block.ts';

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

  it('are refused under another CID, and when they are something else', () => {
    const bytes = encodeBatchBlock({ previous: null, start: 0, frontier: [], entries });
    const flipped = Uint8Array.from(bytes);
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
    expect(() => decodeBatchBlock(flipped, cidOfBlock(bytes))).toThrow(/has the CID/);
    const other = Uint8Array.from([0xa0]);
    expect(() => decodeBatchBlock(other, cidOfBlock(other))).toThrow(/not a batch/);
  });
});
