import { expect, it } from 'vitest';
import { readVectors } from '../vectors/read-vectors.ts';
import { provePriceRow, rootOfPrices } from './price-tree.ts';
import type { PriceRow } from './price-row.ts';
import type { TokenPrices } from './token-prices.ts';

const { priceTable } = readVectors();
const rows: PriceRow[] = priceTable.rows.map(({ row: { model, token, inUsd, ...prices } }) => {
  const amounts = Object.entries(prices).map(([name, price]) => [name, BigInt(price)]);
  return { model, token, inUsd, ...(Object.fromEntries(amounts) as TokenPrices) };
});

it('has one root, in whatever order the rows are given', () => {
  expect(rootOfPrices(rows)).toBe(priceTable.root);
  expect(rootOfPrices(rows.toReversed())).toBe(priceTable.root);
  expect(rootOfPrices(rows.slice(1))).not.toBe(priceTable.root);
});

it('proves each row at its place', () => {
  rows.forEach((row, index) => {
    const { path } = priceTable.rows[index] ?? { path: undefined };
    expect(provePriceRow(rows.toReversed(), row)).toEqual({ row, index, size: priceTable.size, path });
  });
});

it('proves no row that the table does not have', () => {
  expect(provePriceRow(rows, { model: 'sim-large', token: `0x${'70'.repeat(20)}` })).toBeUndefined();
});
