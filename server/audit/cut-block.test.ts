import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cidOfBlock, decodeBatchBlock } from '../../protocol/log/batch-block.ts';
import { Frontier } from '../../protocol/merkle/frontier.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { merkleRoot } from '../../protocol/merkle/inclusion.ts';
import { cutBlock, type LogHead } from './cut-block.ts';

describe('cutBlock', () => {
  it('leads to the same root however entries are split, each block proving it by itself, within its bytes', async () => {
    const entries = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 60 });
    const limits = fc.array(fc.integer({ min: 700, max: 4_000 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(entries, limits, async (all, maxima) => {
        let head: LogHead = { previous: null, frontier: new Frontier() };
        for (let blocks = 0; head.frontier.size < all.length; blocks += 1) {
          const maxBytes = maxima[blocks % maxima.length] ?? 0;
          const start = head.frontier.size;
          const cut = await cutBlock(head, all.slice(start), { maxBytes });
          const cid = cidOfBlock(cut.bytes);
          const read = decodeBatchBlock(cut.bytes, cid);
          const tree = new Frontier(read.start, read.frontier);
          for (const entry of read.entries) tree.append(hashLeaf(entry));
          expect(cut.bytes.length).toBeLessThanOrEqual(maxBytes);
          expect(read.previous?.toString()).toBe(head.previous?.toString());
          expect(read.entries).toEqual(all.slice(start, start + cut.count));
          expect(tree.root()).toEqual(merkleRoot(all.slice(0, cut.frontier.size).map(hashLeaf)));
          expect(cut.frontier.root()).toEqual(tree.root());
          head = { previous: cid, frontier: cut.frontier };
        }
        expect(head.frontier.root()).toEqual(merkleRoot(all.map(hashLeaf)));
      }),
      { numRuns: 150 },
    );
  });

  it('refuses an entry that fits no block, and an empty one', async () => {
    const head = { previous: null, frontier: new Frontier() };
    await expect(cutBlock(head, [Buffer.alloc(900)], { maxBytes: 900 })).rejects.toThrow(/too long/);
    await expect(cutBlock(head, [])).rejects.toThrow(/missing/);
  });
});
