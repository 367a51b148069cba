import type { ChainClient } from './chain/create-chain-client.ts';
import type { HeadReader } from './chain/create-head-reader.ts';
import { createJob } from './chain/create-job.ts';
import type { JobLog } from './chain/job-log.ts';
import { createOracleWatcher } from './chain/watch-oracle-prices.ts';
import { createPriceTableWatcher } from './chain/watch-price-table.ts';
import type { RelayConfig } from './config/relay-config.ts';
import { createPriceList, type PriceList } from './metering/price-list.ts';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';

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
  stop(): Promise<void>;
}

const oracleIntervalMs = 15_000;
const tableIntervalMs = 60_000;

/** Wires the prices of a configuration. */
export function createPrices(options: {
  config: Pick<RelayConfig, 'contracts' | 'routes' | 'tokens'>;
  client: Pick<ChainClient, 'readContract'>;
  head: HeadReader;
  log: JobLog;
  /** Unix milliseconds. */
  nowMs: () => number;
}): Prices {
  const { config, client, head, log, nowMs } = options;
  const { contracts, routes, tokens } = config;
  const rows = routes.flatMap((route) => route.prices ?? []);
  const root = rows.length === 0 ? null : rootOfPrices(rows);
  const table = createPriceTableWatcher({ client, head, priceBook: contracts.priceBook, root, log, nowMs });
  const ofOracle = tokens.filter((token) => token.oracle);
  const oracle = createOracleWatcher({ client, head, priceOracle: contracts.priceOracle, tokens: ofOracle, log });
  const watchTable = createJob({
    ...{ name: 'watch price table', intervalMs: tableIntervalMs, maxRetryMs: tableIntervalMs },
    work: () => table.poll(),
    log,
  });
  const watchOracle = createJob({
    ...{ name: 'watch oracle', intervalMs: oracleIntervalMs, maxRetryMs: oracleIntervalMs },
    work: () => oracle.poll(),
    log,
  });
  const jobs = [watchTable, ...(ofOracle.length > 0 ? [watchOracle] : [])];
  return {
    list: createPriceList({ tokens, rows, sources: { ...oracle, ...table } }),
    async prepare() {
      await table.requireInForce();
      await oracle.poll();
    },
    start: () => jobs.forEach((job) => job.start()),
    async stop() {
      await Promise.all(jobs.map((job) => job.stop()));
    },
  };
}
