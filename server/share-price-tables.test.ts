import { expect, test, vi } from 'vitest';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import type { PriceTable } from './create-prices.ts';
import { openTables, TablesInUse } from './share-price-tables.ts';

const someTable = () => ({ list: { root: rootOfPrices([]) } as PriceTable['list'], stop: vi.fn<PriceTable['stop']>() });

test('a table is stopped when the last offer that sells by it has ended, in whatever order they end', async () => {
  const [shared, second, third] = [someTable(), someTable(), someTable()];
  const used = new TablesInUse([shared]);
  used.take([shared, second]);
  used.take([third]);
  // The one in the middle ends before the first, whose calls are still under way.
  await used.release([shared, second]);
  expect([shared, second].map(({ stop }) => stop.mock.calls.length)).toEqual([0, 1]);
  await used.release([shared]);
  expect([shared, third].map(({ stop }) => stop.mock.calls.length)).toEqual([1, 0]);
});

test('where a chain’s table cannot be opened, those of the chains before it are stopped, unless they are in use', async () => {
  const [present, opened] = [someTable(), someTable()];
  const chain = (chainId: number, openTable: () => Promise<PriceTable>) => ({
    chainId,
    prices: { openTable } as never,
  });
  const chains = [
    chain(1, () => Promise.reject(new Error('its table is in use'))),
    chain(2, () => Promise.resolve(opened)),
    chain(3, () => Promise.reject(new Error('no such chain'))),
  ];
  await expect(openTables(chains, [present], { chains: [] })).rejects.toThrow('no such chain');
  expect([present, opened].map(({ stop }) => stop.mock.calls.length)).toEqual([0, 1]);
});
