import { expect, test } from 'vitest';
import { listLeaves } from './list-leaves.ts';
import { createToyEntries } from './toy-log-fixture.ts';

test('reads a range in pages, and says which entry is missing', async () => {
  const entries = createToyEntries(12_003);
  const pagesOf = async (range: { from: number; to: number }) => {
    const pages: Uint8Array[][] = [];
    for await (const page of listLeaves(entries, range)) pages.push(page);
    return pages;
  };
  const pages = await pagesOf({ from: 1, to: 12_002 });
  expect(pages.map(({ length }) => length)).toEqual([5_000, 5_000, 2_001]);
  expect(pages.flat()).toEqual(entries.leafHashes.slice(1, 12_002));
  expect(await pagesOf({ from: 7, to: 7 })).toEqual([]);
  await expect(pagesOf({ from: 12_000, to: 12_004 })).rejects.toThrow('The ledger has no log entry 12003.');
});
