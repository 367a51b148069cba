import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ChannelReader } from '../../chain/create-channel-reader.ts';
import type { ChannelOnChain, Ledger } from '../../ledger/ledger.ts';
import { createExpiringMap } from './expiring-map.ts';
import { createTokenBucket } from './token-bucket.ts';

/** Asks the chain about channels, within bounds: strangers can make the relay look up whatever they name. */
export interface ChannelFinder {
  /**
   * The channel as the chain has it now; undefined if it has none. A miss is believed for a short while.
   * @throws AutoPayError `overloaded` beyond the bounds, or what the reader throws.
   */
  find(channelId: Hex): Promise<ChannelOnChain | undefined>;
  /**
   * The channel that a transaction opened. That it opened none is believed for a short while.
   * @throws AutoPayError as `find`, or what `readOpenTransaction` throws.
   */
  findOpened(transactionHash: Hex, channelId: Hex): Promise<ChannelOnChain>;
  /**
   * Reads a known channel again and records it. Soon after the last time it does nothing.
   * @returns whether the ledger may know more than before
   */
  refresh(channelId: Hex): Promise<boolean>;
}

/** What a finder needs. */
export interface ChannelFinderOptions {
  reader: ChannelReader;
  ledger: Pick<Ledger, 'upsertChannel'>;
  /** Unix milliseconds. */
  nowMs: () => number;
  /** Lookups beyond this at one time are refused with `overloaded`. */
  maxConcurrent?: number;
  /** Unknown channels that may be looked up at once after a quiet time. */
  lookupBurst?: number;
  /** Unknown channels that may be looked up per second in the long run. */
  lookupsPerSecond?: number;
}

/** How long a channel that is not on the chain is not asked for again. */
const missLifetimeMs = 2_000;
/** How long a channel that was read again is not read again. */
const refreshIntervalMs = 1_000;

const overloaded = () =>
  new AutoPayError('overloaded', 'Too many channels are being looked up on the chain. Try again in a second.');

/** Makes a finder. Lookups of one thing at one time share one exchange with the chain. */
export function createChannelFinder(options: ChannelFinderOptions): ChannelFinder {
  const { reader, ledger, nowMs, maxConcurrent = 64, lookupBurst = 100, lookupsPerSecond = 10 } = options;
  const underWay = new Map<string, Promise<ChannelOnChain | undefined>>();
  const misses = createExpiringMap<AutoPayError | undefined>(missLifetimeMs, nowMs);
  const refreshed = createExpiringMap<true>(refreshIntervalMs, nowMs);
  // Whoever asks for a channel that nobody has seen has paid for nothing yet; the watcher finds new ones without this.
  const lookups = createTokenBucket({ burst: lookupBurst, perSecond: lookupsPerSecond, nowMs });

  function share<T extends ChannelOnChain | undefined>(key: string, ask: () => Promise<T>): Promise<T> {
    // One key always stands for one question, so its answers have one type.
    const shared = underWay.get(key) as Promise<T> | undefined;
    if (shared) return shared;
    if (underWay.size >= maxConcurrent) return Promise.reject(overloaded());
    const asking = ask().finally(() => underWay.delete(key));
    underWay.set(key, asking);
    return asking;
  }

  /** As `share`, for what is not known to exist. */
  function lookUp<T extends ChannelOnChain | undefined>(key: string, ask: () => Promise<T>): Promise<T> {
    if (!underWay.has(key) && !lookups.take()) return Promise.reject(overloaded());
    return share(key, ask);
  }

  return {
    async find(channelId) {
      if (misses.has(channelId)) return undefined;
      const channel = await lookUp(channelId, () => reader.readChannel(channelId));
      if (!channel) misses.set(channelId, undefined);
      return channel;
    },
    async findOpened(transactionHash, channelId) {
      const key = `${transactionHash}:${channelId}`;
      const miss = misses.get(key);
      if (miss) throw miss;
      try {
        return await lookUp(key, () => reader.readOpenTransaction(transactionHash, { channelId }));
      } catch (error) {
        if (error instanceof AutoPayError && isMiss(error)) misses.set(key, error);
        throw error;
      }
    },
    async refresh(channelId) {
      // A refresh that is under way is waited for, so that parallel calls see its result too.
      if (!underWay.has(channelId) && refreshed.has(channelId)) return false;
      refreshed.set(channelId, true);
      const channel = await share(channelId, () => reader.readChannel(channelId));
      if (channel) await ledger.upsertChannel(channel);
      return channel !== undefined;
    },
  };
}

/** Whether the chain has answered that there is nothing, as opposed to not having answered. */
function isMiss({ code }: AutoPayError): boolean {
  return code === 'channel_not_found' || code === 'transaction_reverted';
}
