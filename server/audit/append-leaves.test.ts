import { expect, test } from 'vitest';
import { Frontier } from '../../protocol/merkle/frontier.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { merkleRoot } from '../../protocol/merkle/inclusion.ts';
import { appendLeaves } from './append-leaves.ts';

test.each([0, 1, 127, 128, 129, 900])(
  '%i entries lead to their root, and others have their turn meanwhile',
  async (count) => {
    const entries = Array.from({ length: count }, (_, index) => Buffer.from(`entry ${index}`));
    let turns = 0;
    let isDone = false;
    const take = () => {
      turns += 1;
      if (!isDone) setImmediate(take);
    };
    setImmediate(take);
    const tree = new Frontier();
    await appendLeaves(tree, entries);
    isDone = true;
    expect(tree.root()).toEqual(merkleRoot(entries.map(hashLeaf)));
    expect(turns).toBeGreaterThanOrEqual(Math.floor(Math.max(0, count - 1) / 128));
  },
);
