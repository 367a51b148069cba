import { priceOracleAbi } from '../../protocol/abi/price-oracle.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { OraclePrice, PriceSources } from '../metering/price-list.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';
import type { Head, HeadReader } from './create-head-reader.ts';
import type { JobLog } from './job-log.ts';

/** What watching works with. */
export interface OracleWatcherOptions {
  client: Pick<ChainClient, 'readContract'>;
  head: HeadReader;
  priceOracle: Hex;
  /** The tokens whose prices are in US dollars. */
  tokens: readonly { address: Hex; symbol: string }[];
  log: JobLog;
}

/** Keeps the oracle's prices at hand. */
export interface OracleWatcher extends Pick<PriceSources, 'oraclePrice'> {
  /**
   * Reads every price anew, at one block. A price that the oracle refuses is forgotten at once.
   * @throws AutoPayError `chain_unavailable`; what is known is then used until it is a minute old.
   */
  poll(): Promise<void>;
}

/**
 * What is from an older block is not used: a newer round may have come, and the chain takes the older one for 120 s only
 * (`PriceOracle.ROUND_TOLERANCE`). This is no setting: a receipt outside of that convicts the relay. Where the newest block
 * is often older, a token with an oracle cannot be sold for.
 */
const maxAgeMs = 60_000;

interface Known {
  /** Newest first. */
  rounds: readonly OraclePrice[];
  heartbeatSeconds: number;
  /** Time of the block, or of asking, whichever is older. */
  asOfMs: number;
}

/** Makes a watcher; it knows nothing before the first poll, and no price is then usable. */
export function createOracleWatcher(options: OracleWatcherOptions): OracleWatcher {
  const { client, head, priceOracle, tokens, log } = options;
  const oracle = { address: priceOracle, abi: priceOracleAbi } as const;
  const known = new Map<Hex, Known>();
  /** Tokens whose refusal was logged: once for each change. */
  const refused = new Set<Hex>();

  async function read({ address, symbol }: OracleWatcherOptions['tokens'][number], at: Head): Promise<void> {
    const { number: blockNumber, asOfMs } = at;
    try {
      const [price, [, heartbeatSeconds]] = await callChain(`the price of ${symbol}`, () =>
        Promise.all([
          client.readContract({ ...oracle, functionName: 'latestPrice', args: [address], blockNumber }),
          client.readContract({ ...oracle, functionName: 'feedOf', args: [address], blockNumber }),
        ]),
      );
      const newest = { ...price, updatedAt: Number(price.updatedAt) };
      // The round before may still be needed: a new one counts from its own time on, which this clock may not have reached.
      // After a longer gap there may have been others between the two.
      const last = known.get(address);
      const isRecent = last !== undefined && asOfMs - last.asOfMs <= maxAgeMs;
      const before = isRecent ? last.rounds.find(({ roundId }) => roundId !== newest.roundId) : undefined;
      known.set(address, { rounds: before ? [newest, before] : [newest], heartbeatSeconds, asOfMs });
      if (refused.delete(address)) log.info({ token: symbol }, 'the oracle has a price again');
    } catch (error) {
      if (!(error instanceof AutoPayError) || error.code !== 'transaction_reverted') throw error;
      known.delete(address);
      if (refused.has(address)) return;
      refused.add(address);
      log.warn({ token: symbol, error: error.message }, 'the oracle has no price; calls cannot be paid in this token');
    }
  }

  return {
    oraclePrice(token, atMs) {
      const entry = known.get(token);
      if (!entry || atMs - entry.asOfMs > maxAgeMs) return undefined;
      const at = Math.floor(atMs / 1_000);
      const current = entry.rounds.find(({ updatedAt }) => updatedAt <= at);
      return current && at - current.updatedAt <= entry.heartbeatSeconds ? current : undefined;
    },
    async poll() {
      const at = await head.read();
      await Promise.all(tokens.map((token) => read(token, at)));
    },
  };
}
