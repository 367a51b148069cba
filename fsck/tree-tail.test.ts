import { describe, expect, it } from 'vitest';
import { Frontier } from '../protocol/merkle/frontier.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { inclusionProofOf } from '../protocol/merkle/inclusion.ts';
import { proveInTail, TreeTail } from './tree-tail.ts';

const leaves = Array.from({ length: 70 }, (_, index) => hashLeaf(Buffer.from([index])));

function frontierAt(size: number): readonly Uint8Array[] {
  const frontier = new Frontier();
  for (const leaf of leaves.slice(0, size)) frontier.append(leaf);
  return frontier.roots;
}

describe('the tail of a tree', () => {
  it('proves every leaf from its block and what comes after it, wherever blocks begin and end', () => {
    for (const size of [1, 2, 3, 7, 8, 13, 31, 64, 70]) {
      for (let start = 0; start < size; start += 1) {
        for (const end of [start + 1, Math.min(size, start + 3), Math.min(size, start + 16), size]) {
          const tail = new TreeTail(size);
          // In two steps, as blocks come.
          const middle = Math.floor((end + size) / 2);
          tail.prepend(leaves.slice(middle, size));
          tail.prepend(leaves.slice(end, middle));
          expect(tail.start).toBe(end);
          const block = { start, frontier: frontierAt(start), leafHashes: leaves.slice(start, end) };
          for (const index of [start, end - 1]) {
            const path = proveInTail(block, tail, { index, size });
            expect(path, `leaf ${index} of ${size}, block ${start} to ${end}`).toEqual(
              inclusionProofOf(leaves.slice(0, size), index),
            );
          }
        }
      }
    }
  });

  it('keeps few hashes of many leaves', () => {
    const many = new TreeTail(100_000);
    for (let left = 100_000; left > 0; left -= 1_000)
      many.prepend(Array.from({ length: 1_000 }, () => leaves[0] ?? Buffer.alloc(32)));
    expect(many.start).toBe(0);
    // One for each 1-bit of 100,000.
    expect(many.within(0, 100_000)).toHaveLength(6);
  });

  it('refuses an index beyond the tree', () => {
    const block = { start: 0, frontier: [], leafHashes: leaves.slice(0, 2) };
    expect(() => proveInTail(block, new TreeTail(2), { index: 2, size: 2 })).toThrow(RangeError);
  });
});
