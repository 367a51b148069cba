import { fetchCatalogue } from '../client/fetch-catalogue.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import type { CommandContext } from './command-context.ts';

/** Prices, and the root that stands for them on the chain. */
export interface PriceTable {
  rows: readonly PriceRow[];
  root: Hex;
}

/**
 * A relay's price table: of an autopay.yaml, or else of the running relay. The root is computed here, from the rows.
 * @param configFile path of an autopay.yaml; a relay whose table is not published does not start, so this is the way to publish one.
 * @throws AutoPayError `invalid_configuration` if the file has faults; `invalid_argument` if nothing has a price;
 *   `stack_not_found`.
 */
export async function readPriceTable(context: CommandContext, configFile?: string): Promise<PriceTable> {
  const rows = configFile === undefined ? await readRelayRows(context) : await readConfiguredRows(configFile);
  if (rows.length > 0) return { rows, root: rootOfPrices(rows) };
  throw new AutoPayError('invalid_argument', 'Nothing is sold that costs: there is no price to publish.');
}

async function readRelayRows(context: CommandContext): Promise<PriceRow[]> {
  const { relayUrl } = await context.stack();
  const { models } = await fetchCatalogue({ relayUrl, fetch });
  return [...models.values()].flatMap(({ rows }) => rows);
}

async function readConfiguredRows(file: string): Promise<PriceRow[]> {
  const { loadConfig } = await import('../server/config/load-config.ts');
  const { rowsOf } = await import('../server/create-prices.ts');
  return rowsOf((await loadConfig(file)).routes);
}
