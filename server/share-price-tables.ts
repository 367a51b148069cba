import { rootOfPrices } from '../protocol/pricing/price-tree.ts';
import type { RelayConfig } from './config/relay-config.ts';
import { rowsOf, type PriceTable } from './create-prices.ts';
import type { RelayChain } from './open-chain.ts';

/** The price tables of one offer, chain by chain. */
export type Tables = readonly PriceTable[];

/** Counts the offers that sell by each table: one that none does any more is stopped. */
export class TablesInUse {
  readonly #users = new Map<PriceTable, number>();

  /** @param first those of the first offer */
  constructor(first: Tables) {
    this.take(first);
  }

  /** One more offer sells by these. */
  take(tables: Tables): void {
    for (const table of tables) this.#users.set(table, (this.#users.get(table) ?? 0) + 1);
  }

  /** One offer fewer does. */
  async release(tables: Tables): Promise<void> {
    const unused = tables.filter((table) => {
      const left = (this.#users.get(table) ?? 0) - 1;
      if (left > 0) this.#users.set(table, left);
      else this.#users.delete(table);
      return left === 0;
    });
    await stopAll(unused);
  }
}

/**
 * The tables of the next configuration, chain by chain: those in use where nothing costs anything else than before.
 * @param used those of the present offer
 * @throws AutoPayError as `Prices.openTable`; nothing is left open then
 */
export async function openTables(
  chains: readonly Pick<RelayChain, 'chainId' | 'prices'>[],
  used: Tables,
  next: Pick<RelayConfig, 'chains'>,
): Promise<PriceTable[]> {
  const opened: PriceTable[] = [];
  try {
    for (const [index, { chainId, prices }] of chains.entries()) {
      const own = next.chains.find((candidate) => candidate.chain.id === chainId);
      const rows = rowsOf(own?.routes ?? []);
      const present = used[index];
      opened.push(present?.list.root === rootOfPrices(rows) ? present : await prices.openTable(rows));
    }
    return opened;
  } catch (error) {
    await stopAll(opened.filter((table) => !used.includes(table)));
    throw error;
  }
}

async function stopAll(tables: Tables): Promise<void> {
  await Promise.all(tables.map((table) => table.stop()));
}
