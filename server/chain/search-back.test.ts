import { expect, test } from 'vitest';
import { searchBack } from './search-back.ts';

/** What was looked at, until the block was found. */
async function search(block: number | null, blocks: { newest: number; oldest: number; maxBlocksPerQuery: number }) {
  const ranges: [number, number][] = [];
  const found = await searchBack(blocks, async ({ fromBlock, toBlock }) => {
    ranges.push([Number(fromBlock), Number(toBlock)]);
    return block !== null && fromBlock <= block && block <= toBlock ? block : undefined;
  });
  return { found, ranges };
}

test('each block is looked at once, the newest first, no range longer than an endpoint takes', async () => {
  const blocks = { newest: 25, oldest: 3, maxBlocksPerQuery: 10 };
  const all = [
    [16, 25],
    [6, 15],
    [3, 5],
  ];
  expect(await search(null, blocks)).toEqual({ found: undefined, ranges: all });
  expect(await search(3, blocks)).toEqual({ found: 3, ranges: all });
  expect(await search(15, blocks)).toEqual({ found: 15, ranges: all.slice(0, 2) });
});

test('where there are no blocks, nothing is asked', async () => {
  expect(await search(1, { newest: 1, oldest: 2, maxBlocksPerQuery: 10 })).toEqual({ found: undefined, ranges: [] });
  expect((await search(0, { newest: 0, oldest: 0, maxBlocksPerQuery: 1 })).ranges).toEqual([[0, 0]]);
});
