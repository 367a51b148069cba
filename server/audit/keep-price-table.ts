import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../../protocol/pricing/price-tree.ts';
import { replaceFile } from './replace-file.ts';
import { syncFolder } from './sync-folder.ts';

/**
 * Keeps a price table as `<root>.json`, a list of its rows with amounts as decimal strings. Receipts name only the root, and
 * autopay.yaml has only the present prices: without the tables before, nobody could recompute what calls were charged under them.
 * A relay MUST keep a table before it sells under it: once this resolves, the table MUST survive a loss of power. Nothing is kept
 * where nothing costs anything.
 *
 * @param folder `prices` of the data folder; created if it is missing
 */
export async function keepPriceTable(folder: string, rows: readonly PriceRow[]): Promise<void> {
  if (rows.length === 0) return;
  const file = join(folder, `${rootOfPrices(rows)}.json`);
  const text = JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value), 1);
  await mkdir(folder, { recursive: true });
  await replaceFile(file, `${text}\n`);
  await syncFolder(folder);
  // The folder may be new, and its own name not durable.
  await syncFolder(dirname(folder));
}
