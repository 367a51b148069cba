import { describe, expect, it } from 'vitest';
import { Frontier } from '../protocol/merkle/frontier.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { inclusionProofOf } from '../protocol/merkle/inclusion.ts';
import { proveInclusion } from './prove-inclusion.ts';

const leafHashes = Array.from({ length: 64 }, (_, index) => hashLeaf(Buffer.from([index])));

describe('proveInclusion', () => {
  it('gives the path of the whole tree from any tail of it, for every index and size up to 64', () => {
    for (let size = 1; size <= leafHashes.length; size += 1) {
      const paths = leafHashes.slice(0, size).map((_, index) => inclusionProofOf(leafHashes.slice(0, size), index));
      const frontier = new Frontier();
      for (let start = 0; start < size; start += 1) {
        const tail = { start, frontier: frontier.roots, leafHashes: leafHashes.slice(start, size) };
        for (let index = start; index < size; index += 1) {
          const path = proveInclusion(tail, index);
          if (Buffer.compare(Buffer.concat(path), Buffer.concat(paths[index] ?? [])) !== 0) {
            expect(path, `size ${size}, start ${start}, index ${index}`).toEqual(paths[index]);
          }
        }
        frontier.append(leafHashes[start] ?? Buffer.alloc(0));
      }
    }
    expect(proveInclusion({ start: 0, frontier: [], leafHashes }, 5)).toHaveLength(6);
  });

  it('proves nothing outside the log', () => {
    expect(() => proveInclusion({ start: 0, frontier: [], leafHashes }, 64)).toThrow(/no leaf/);
  });
});
