import { priceOracleAbi } from '../../protocol/abi/price-oracle.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { OraclePrice, PriceSources } from '../metering/price-list.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';
import type { JobLog } from './job-log.ts';

/** What watching works with. */
export interface OracleWatcherOptions {
  client: Pick<ChainClient, 'readContract'>;
  priceOracle: Hex;
  /** The tokens whose prices are in US dollars. */
  tokens: readonly { address: Hex; symbol: string }[];
  log: JobLog;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** Keeps the oracle's prices at hand. */
export interface OracleWatcher extends Pick<PriceSources, 'oraclePrice'> {
  /**
   * Reads every price anew. A price that the oracle refuses is forgotten at once.
   * @throws AutoPayError `chain_unavailable`; what is known is then used for a minute more.
   */
  poll(): Promise<void>;
}

/**
 * What was read longer ago is not used: a newer round may have come, and the chain takes the older one for 120 s only
 * (`PriceOracle.ROUND_TOLERANCE`).
 */
const maxAgeMs = 60_000;

interface Known {
  /** Newest first. */
  rounds: readonly OraclePrice[];
  heartbeatSeconds: number;
  readAtMs: number;
}

/** Makes a watcher; it knows nothing before the first poll, and no price is then usable. */
export function createOracleWatcher(options: OracleWatcherOptions): OracleWatcher {
  const { client, priceOracle, tokens, log, nowMs } = options;
  const oracle = { address: priceOracle, abi: priceOracleAbi } as const;
  const known = new Map<Hex, Known>();
  /** Tokens whose refusal was logged: once for each change. */
  const refused = new Set<Hex>();

  async function read({ address, symbol }: OracleWatcherOptions['tokens'][number]): Promise<void> {
    try {
      const [price, [, heartbeatSeconds]] = await callChain(`the price of ${symbol}`, () =>
        Promise.all([
          client.readContract({ ...oracle, functionName: 'latestPrice', args: [address] }),
          client.readContract({ ...oracle, functionName: 'feedOf', args: [address] }),
        ]),
      );
      const newest = { ...price, updatedAt: Number(price.updatedAt) };
      // The round before may still be needed: a new one counts from its own time on, which this clock may not have reached.
      const before = known.get(address)?.rounds.find(({ roundId }) => roundId !== newest.roundId);
      known.set(address, { rounds: before ? [newest, before] : [newest], heartbeatSeconds, readAtMs: nowMs() });
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
      if (!entry || atMs - entry.readAtMs > maxAgeMs) return undefined;
      const at = Math.floor(atMs / 1_000);
      const current = entry.rounds.find(({ updatedAt }) => updatedAt <= at);
      return current && at - current.updatedAt <= entry.heartbeatSeconds ? current : undefined;
    },
    async poll() {
      await Promise.all(tokens.map(read));
    },
  };
}
