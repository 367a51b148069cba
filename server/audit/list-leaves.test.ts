import { expect, test } from 'vitest';
import { listLeaves } from './list-leaves.ts';
import { createToyEntries } from './toy-log-fixture.ts';

test('reads a range in pages, and says which entry is missing', async () => {
  const entries = createToyEntries(2_503);
  const pagesOf = async (range: { from: number; to: number }) => {
    const pages: Uint8Array[][] = [];
    for await (const page of listLeaves(entries, range)) pages.push(page);
    return pages;
  };
  const pages = await pagesOf({ from: 1, to: 2_502 });
  expect(pages.map(({ length }) => length)).toEqual([1_000, 1_000, 501]);
  expect(pages.flat()).toEqual(entries.leafHashes.slice(1, 2_502));
  expect(await pagesOf({ from: 7, to: 7 })).toEqual([]);
  await expect(pagesOf({ from: 2_500, to: 2_504 })).rejects.toThrow('The ledger has no log entry 2503.');
});
