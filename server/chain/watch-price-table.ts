import { setTimeout as sleep } from 'node:timers/promises';
import { priceBookAbi } from '../../protocol/abi/price-book.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { PriceSources } from '../metering/price-list.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';
import type { HeadReader } from './create-head-reader.ts';
import type { JobLog } from './job-log.ts';

/** What watching works with. */
export interface PriceTableWatcherOptions {
  client: Pick<ChainClient, 'readContract'>;
  head: HeadReader;
  priceBook: Hex;
  /** The root of the relay's table; null if nothing costs anything, so that there is no table. */
  root: Hex | null;
  log: JobLog;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** Knows for how long the relay's price table holds; not for longer than a vote may take to end it. */
export interface PriceTableWatcher extends Pick<PriceSources, 'isInForce'> {
  /**
   * Reads the table's period anew.
   * @throws AutoPayError `chain_unavailable`; what is known is then used until it is five minutes old.
   */
  poll(): Promise<void>;
  /**
   * Reads it, and returns once the table holds.
   * @throws AutoPayError `price_table_unpublished` if it does not, nor will within a minute; `chain_unavailable`
   */
  requireInForce(): Promise<void>;
}

/** A chain's clock may be ahead of this machine's by so much. */
const maxWaitMs = 60_000;

/**
 * What is from an older block decides nothing. This is less than the notice that a retirement needs
 * (`PriceBook.retirePriceRoot`, 10 minutes): each end is known before it comes.
 */
const maxAgeMs = 300_000;

/** Makes a watcher; it takes the table for unpublished before the first poll. */
export function createPriceTableWatcher(options: PriceTableWatcherOptions): PriceTableWatcher {
  const { client, head, priceBook, root, log, nowMs } = options;
  /** Unix seconds; 0: never published, or no end. */
  let period = { from: 0, until: 0 };
  /** Time of the block that told of it, or of asking, whichever is older. */
  let asOfMs = Number.NEGATIVE_INFINITY;
  let wasInForce: boolean | undefined;

  const isInForce = (atMs: number): boolean => {
    if (root === null) return true;
    if (atMs - asOfMs > maxAgeMs) return false;
    const at = Math.floor(atMs / 1_000);
    return period.from !== 0 && period.from <= at && (period.until === 0 || at < period.until);
  };

  async function poll(): Promise<void> {
    if (root === null) return;
    const newest = await head.read();
    const { from, until } = await callChain('the period of the price table', () =>
      client.readContract({
        address: priceBook,
        abi: priceBookAbi,
        functionName: 'periodOf',
        args: [root],
        blockNumber: newest.number,
      }),
    );
    period = { from: Number(from), until: Number(until) };
    asOfMs = newest.asOfMs;
    const isNow = isInForce(nowMs());
    if (wasInForce === true && !isNow) {
      log.error({ root, ...period }, `the price table is no longer in force; paid calls are refused. ${remedy}`);
    }
    if (wasInForce === false && isNow) log.info({ root }, 'the price table is in force again');
    wasInForce = isNow;
  }

  return {
    isInForce,
    poll,
    async requireInForce() {
      await poll();
      const waitMs = period.from === 0 ? 0 : period.from * 1_000 - nowMs();
      if (waitMs > 0 && waitMs <= maxWaitMs) {
        log.warn({ waitMs }, 'the clock of the chain is ahead; waiting for the price table to hold');
        await sleep(waitMs);
        await poll();
      }
      if (isInForce(nowMs())) return;
      throw new AutoPayError(
        'price_table_unpublished',
        `The price table of this configuration, with root ${root}, ${describePeriod(period)}. ${remedy}`,
        { facts: { priceRoot: root ?? '' } },
      );
    },
  };
}

const remedy =
  'Publish it by vote (npx --no autopay gov propose set-price), or go back to the prices that were published.';

function describePeriod({ from, until }: { from: number; until: number }): string {
  const time = (seconds: number) => new Date(seconds * 1_000).toISOString();
  if (from === 0) return 'was never published in PriceBook';
  return until === 0 ? `holds only from ${time(from)} on` : `was retired as of ${time(until)}`;
}
