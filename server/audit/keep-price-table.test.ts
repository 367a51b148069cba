import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../../protocol/pricing/price-tree.ts';
import { keepPriceTable } from './keep-price-table.ts';

test('keeps a table under its root, whole, however many relays keep it at one time', async () => {
  const row: PriceRow = {
    ...{ model: 'm', token: `0x${'a'.repeat(40)}`, inUsd: false, prompt: 2n ** 96n, cachedPrompt: 1n, cacheWrite: 1n },
    ...{ audioPrompt: 1n, completion: 1n, audioCompletion: 1n, request: 0n },
  };
  const folder = await mkdtemp(join(tmpdir(), 'autopay-keep-'));
  try {
    const prices = join(folder, 'prices');
    await Promise.all(Array.from({ length: 8 }, () => keepPriceTable(prices, [row])));
    const name = `${rootOfPrices([row])}.json`;
    expect(await readdir(prices)).toEqual([name]);
    const kept = JSON.parse(await readFile(join(prices, name), 'utf8')) as unknown;
    expect(kept).toMatchObject([{ model: 'm', inUsd: false, prompt: '79228162514264337593543950336', request: '0' }]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
