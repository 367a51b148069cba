import { expect, test } from 'vitest';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { inclusionProofOf, merkleRoot } from '../../protocol/merkle/inclusion.ts';
import { batchPaths } from './batch-paths.ts';

test('root and paths are those of protocol/merkle, for every size up to 70', () => {
  for (let size = 1; size <= 70; size += 1) {
    const leafHashes = Array.from({ length: size }, (_, index) => hashLeaf(Buffer.from([size, index])));
    const { root, paths } = batchPaths(leafHashes);
    expect(root).toEqual(merkleRoot(leafHashes));
    expect(paths).toEqual(leafHashes.map((_, index) => inclusionProofOf(leafHashes, index)));
  }
});

test('an empty batch has no root', () => {
  expect(() => batchPaths([])).toThrow(RangeError);
});
