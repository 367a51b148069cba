import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isHex, type Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import { address, list, mapping, text } from './read-values.ts';

/**
 * Reads the price tables that a relay kept (`prices/<root>.json` of its data folder). Each has to have the root that it is named
 * after: what it says is then as good as what is on the chain.
 *
 * @returns none if there is no such folder: a relay of an earlier version kept none
 * @throws AutoPayError `invalid_configuration` if a table is not what its name says
 */
export async function readPriceTables(folder: string): Promise<Map<Hex, PriceRow[]>> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const tables = new Map<Hex, PriceRow[]>();
  for (const name of names) {
    const root = name.replace(/\.json$/, '');
    if (!name.endsWith('.json') || !isHex(root, 32)) continue;
    tables.set(root, await readTable(join(folder, name), root));
  }
  return tables;
}

async function readTable(file: string, root: Hex): Promise<PriceRow[]> {
  const fault = (reason: string, cause?: unknown) =>
    new AutoPayError('invalid_configuration', `${file} ${reason}. It was changed after the relay wrote it.`, { cause });
  let rows: PriceRow[];
  try {
    rows = list(JSON.parse(await readFile(file, 'utf8'))).map(readRow);
  } catch (cause) {
    throw fault('is no price table', cause);
  }
  if (rootOfPrices(rows) !== root) throw fault('has another root than its name');
  return rows;
}

function readRow(value: unknown): PriceRow {
  const row = mapping(value);
  const amount = (key: string): bigint => {
    const digits = text(row[key]);
    if (!/^\d{1,39}$/.test(digits)) throw new TypeError(`${key} is no amount`);
    return BigInt(digits);
  };
  return {
    ...{ model: text(row['model']), token: address(row['token']), inUsd: row['inUsd'] === true },
    ...{ prompt: amount('prompt'), cachedPrompt: amount('cachedPrompt'), cacheWrite: amount('cacheWrite') },
    ...{ audioPrompt: amount('audioPrompt'), completion: amount('completion') },
    ...{ audioCompletion: amount('audioCompletion'), request: amount('request') },
  };
}
