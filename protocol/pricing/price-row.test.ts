import { expect, it } from 'vitest';
import { toHex } from '../bytes/hex.ts';
import { readVectors } from '../vectors/read-vectors.ts';
import { encodePriceRow, hashPriceRow, type PriceRow } from './price-row.ts';
import { costOfUsage, type TokenPrices } from './token-prices.ts';

const { priceTable, priceCosts } = readVectors();

function rowOf(index: number): PriceRow {
  const found = priceTable.rows[index];
  if (found === undefined) throw new RangeError(`the vectors have no row ${index}`);
  const { model, token, inUsd, ...prices } = found.row;
  const amounts = Object.entries(prices).map(([name, price]) => [name, BigInt(price)]);
  return { model, token, inUsd, ...(Object.fromEntries(amounts) as TokenPrices) };
}

it('encodes and hashes rows as the chain does', () => {
  priceTable.rows.forEach(({ encoded, leafHash }, index) => {
    expect(toHex(encodePriceRow(rowOf(index)))).toBe(encoded);
    expect(toHex(hashPriceRow(rowOf(index)))).toBe(leafHash);
  });
});

it('prices calls as the chain does', () => {
  for (const { row, usage, conversion, cost } of priceCosts) {
    const converted = conversion && { ...conversion, answer: BigInt(conversion.answer) };
    expect(costOfUsage(usage, { prices: rowOf(row), conversion: converted })).toBe(BigInt(cost));
  }
});
