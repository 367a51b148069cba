import type { ChainClient } from './chain/create-chain-client.ts';
import type { HeadReader } from './chain/create-head-reader.ts';
import { createJob } from './chain/create-job.ts';
import type { JobLog } from './chain/job-log.ts';
import { createOracleWatcher } from './chain/watch-oracle-prices.ts';
import { createPriceTableWatcher } from './chain/watch-price-table.ts';
import type { RelayConfig } from './config/relay-config.ts';
import { createPriceList, type PriceList, type PriceSources } from './metering/price-list.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';

/** A price table that is watched. */
export interface PriceTable {
  list: PriceList;
  stop(): Promise<void>;
}

/** The relay's price list, and the watch over what the chain says of it. */
export interface Prices {
  list: PriceList;
  /**
   * Reads the chain, so that the first call finds prices, and returns once the table holds.
   * @throws AutoPayError `price_table_unpublished`, `chain_unavailable`
   */
  prepare(): Promise<void>;
  /** Begins to watch. */
  start(): void;
  /**
   * Opens and watches the table of other rows in the same tokens, once it holds. Several tables may hold at a time: votes end each by
   * itself.
   * @throws AutoPayError as `prepare`
   */
  openTable(rows: readonly PriceRow[]): Promise<PriceTable>;
  stop(): Promise<void>;
}

const oracleIntervalMs = 15_000;
const tableIntervalMs = 60_000;

/** What prices are watched with. */
export interface PricesOptions {
  config: Pick<RelayConfig, 'contracts' | 'routes' | 'tokens'>;
  client: Pick<ChainClient, 'readContract'>;
  head: HeadReader;
  log: JobLog;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** Wires the prices of a configuration. */
export function createPrices(options: PricesOptions): Prices {
  const { config, client, head, log } = options;
  const { contracts, routes, tokens } = config;
  const ofOracle = tokens.filter((token) => token.oracle);
  const oracle = createOracleWatcher({ client, head, priceOracle: contracts.priceOracle, tokens: ofOracle, log });
  const watchOracle = createJob({
    ...{ name: 'watch oracle', intervalMs: oracleIntervalMs, maxRetryMs: oracleIntervalMs },
    work: () => oracle.poll(),
    log,
  });
  const first = createTable(options, { rows: rowsOf(routes), oracle });
  const jobs = [first.watch, ...(ofOracle.length > 0 ? [watchOracle] : [])];
  return {
    list: first.list,
    async prepare() {
      await first.requireInForce();
      await oracle.poll();
    },
    start: () => jobs.forEach((job) => job.start()),
    async openTable(rows) {
      const table = createTable(options, { rows, oracle });
      await table.requireInForce();
      table.watch.start();
      return { list: table.list, stop: () => table.watch.stop() };
    },
    async stop() {
      await Promise.all(jobs.map((job) => job.stop()));
    },
  };
}

/** The rows of a configuration's price table. */
export function rowsOf(routes: readonly Pick<RelayConfig['routes'][number], 'cache' | 'prices'>[]): PriceRow[] {
  return routes.flatMap(({ cache, prices }) => [...(prices ?? []), ...(cache?.prices ?? [])]);
}

function createTable(
  { config, client, head, log, nowMs }: PricesOptions,
  { rows, oracle }: { rows: readonly PriceRow[]; oracle: Pick<PriceSources, 'oraclePrice'> },
) {
  const root = rows.length === 0 ? null : rootOfPrices(rows);
  const table = createPriceTableWatcher({ client, head, priceBook: config.contracts.priceBook, root, log, nowMs });
  const watch = createJob({
    ...{ name: 'watch price table', intervalMs: tableIntervalMs, maxRetryMs: tableIntervalMs },
    work: () => table.poll(),
    log,
  });
  const list = createPriceList({ tokens: config.tokens, rows, sources: { ...oracle, ...table } });
  return { list, watch, requireInForce: () => table.requireInForce() };
}
