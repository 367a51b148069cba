import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import { keepPriceTable } from '../server/audit/keep-price-table.ts';
import { readPriceTables } from './read-price-tables.ts';

const rows: PriceRow[] = [1n, 2n ** 96n].map((prompt, at) => ({
  model: `m${at}`,
  token: `0x${'a'.repeat(40)}`,
  inUsd: at === 1,
  ...{ prompt, cachedPrompt: 3n, cacheWrite: 4n, audioPrompt: 5n, completion: 6n, audioCompletion: 7n, request: 8n },
}));
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-prices-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('reads what the relay kept, by root, however often it kept it', async () => {
  await keepPriceTable(join(folder, 'prices'), rows);
  await keepPriceTable(join(folder, 'prices'), rows);
  await keepPriceTable(join(folder, 'prices'), rows.slice(0, 1));
  await keepPriceTable(join(folder, 'prices'), []);
  const tables = await readPriceTables(join(folder, 'prices'));
  expect(tables).toEqual(
    new Map([
      [rootOfPrices(rows), rows],
      [rootOfPrices(rows.slice(0, 1)), rows.slice(0, 1)],
    ]),
  );
  expect(await readdir(join(folder, 'prices'))).toHaveLength(2);
});

test('has none where none was kept', async () => {
  expect(await readPriceTables(join(folder, 'nowhere'))).toEqual(new Map());
});

test('believes no table that was changed', async () => {
  await keepPriceTable(folder, rows);
  const file = join(folder, `${rootOfPrices(rows)}.json`);
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('"6"', '"7"'));
  await expect(readPriceTables(folder)).rejects.toThrow(/has another root than its name/);
  await writeFile(file, text.replace('"6"', '6'));
  await expect(readPriceTables(folder)).rejects.toThrow(/is no price table/);
});
