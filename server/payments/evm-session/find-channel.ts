import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ChannelReader } from '../../chain/create-channel-reader.ts';
import type { ChannelOnChain, Ledger } from '../../ledger/ledger.ts';

/** Asks the chain about channels, within bounds: strangers can make the relay look up whatever they name. */
export interface ChannelFinder {
  /** The channel as the chain has it now; undefined if it has none. A miss is believed for a short while. */
  find(channelId: Hex): Promise<ChannelOnChain | undefined>;
  /**
   * Reads a known channel again and records it. Soon after the last time it does nothing.
   * @returns whether the ledger may know more than before
   */
  refresh(channelId: Hex): Promise<boolean>;
}

/** What a finder needs. */
export interface ChannelFinderOptions {
  reader: Pick<ChannelReader, 'readChannel'>;
  ledger: Pick<Ledger, 'upsertChannel'>;
  /** Unix milliseconds. */
  nowMs: () => number;
  /** Lookups beyond this at one time are refused with `overloaded`. */
  maxConcurrent?: number;
}

/** How long a channel that is not on the chain is not asked for again. */
const missLifetimeMs = 2_000;
/** How long a channel that was read again is not read again. */
const refreshIntervalMs = 1_000;
const maxRemembered = 10_000;

/** Makes a finder. Lookups of one channel at one time share one exchange with the chain. */
export function createChannelFinder(options: ChannelFinderOptions): ChannelFinder {
  const { reader, ledger, nowMs, maxConcurrent = 64 } = options;
  const underWay = new Map<Hex, Promise<ChannelOnChain | undefined>>();
  const misses = createExpiringSet(missLifetimeMs, nowMs);
  const refreshed = createExpiringSet(refreshIntervalMs, nowMs);

  function read(channelId: Hex): Promise<ChannelOnChain | undefined> {
    const shared = underWay.get(channelId);
    if (shared) return shared;
    if (underWay.size >= maxConcurrent) {
      const message = 'Too many channels are being looked up on the chain. Try again in a second.';
      return Promise.reject(new AutoPayError('overloaded', message));
    }
    const reading = reader.readChannel(channelId).finally(() => underWay.delete(channelId));
    underWay.set(channelId, reading);
    return reading;
  }

  return {
    async find(channelId) {
      if (misses.has(channelId)) return undefined;
      const channel = await read(channelId);
      if (!channel) misses.add(channelId);
      return channel;
    },
    async refresh(channelId) {
      // A refresh that is under way is waited for, so that parallel calls see its result too.
      if (!underWay.has(channelId) && refreshed.has(channelId)) return false;
      refreshed.add(channelId);
      const channel = await read(channelId);
      if (channel) await ledger.upsertChannel(channel);
      return channel !== undefined;
    },
  };
}

/** Remembers keys for `lifetimeMs`, the newest `maxRemembered` of them. */
function createExpiringSet(lifetimeMs: number, nowMs: () => number) {
  const until = new Map<Hex, number>();
  return {
    has: (key: Hex) => (until.get(key) ?? 0) > nowMs(),
    add: (key: Hex) => {
      until.delete(key);
      until.set(key, nowMs() + lifetimeMs);
      const oldest = until.keys().next();
      if (until.size > maxRemembered && !oldest.done) until.delete(oldest.value);
    },
  };
}
