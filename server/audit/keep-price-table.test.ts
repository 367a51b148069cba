import { mkdtemp, open, readdir, readFile, rm, stat, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { plainPrices } from '../../protocol/pricing/plain-prices-fixture.ts';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../../protocol/pricing/price-tree.ts';
import { keepPriceTable } from './keep-price-table.ts';

const row: PriceRow = { model: 'm', token: `0x${'a'.repeat(40)}`, inUsd: false, ...plainPrices(1n), prompt: 2n ** 96n };

test('keeps a table under its root, whole, however many relays keep it at one time', async () => {
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

test('a table that is kept survives a loss of power: file, name and folder are synced, in this order', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'autopay-keep-'));
  const prices = join(folder, 'prices');
  const handle = await open(folder, 'r');
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  /** Of each sync: of what, and which names were there. */
  const synced: [number, string[]][] = [];
  const sync = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
    synced.push([(await this.stat()).ino, await readdir(prices)]);
  });
  try {
    await keepPriceTable(prices, [row]);
    const name = `${rootOfPrices([row])}.json`;
    const [file, inFolder, inParent] = await Promise.all(
      [join(prices, name), prices, folder].map((path) => stat(path)),
    );
    expect(synced).toEqual([
      [file?.ino, [expect.stringMatching(/\.tmp$/)]],
      [inFolder?.ino, [name]],
      [inParent?.ino, [name]],
    ]);
  } finally {
    sync.mockRestore();
    await rm(folder, { recursive: true });
  }
});
