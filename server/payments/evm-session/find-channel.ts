import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ChannelReader, ChannelReading } from '../../chain/create-channel-reader.ts';
import { createNotConfirmed } from '../../chain/finality.ts';
import type { ChannelOnChain, Ledger } from '../../ledger/ledger.ts';
import { createExpiringMap } from './expiring-map.ts';
import { createTokenBucket } from './token-bucket.ts';

/** Asks the chain about channels, within bounds: strangers can make the relay look up whatever they name. */
export interface ChannelFinder {
  /**
   * The channel as the chain has it now; undefined if it has none. A miss is believed for a short while.
   * @throws AutoPayError `rate_limit_exceeded` beyond the bounds, `channel_not_confirmed` while nothing in it counts, or what the reader throws.
   */
  find(channelId: Hex): Promise<ChannelOnChain | undefined>;
  /**
   * The channel that a transaction opened. That it opened none is believed for a short while.
   * @throws AutoPayError as `find`, or what `readOpenTransaction` throws.
   */
  findOpened(transactionHash: Hex, channelId: Hex): Promise<ChannelOnChain>;
  /**
   * The channel whose deposit a transaction raised by this amount. That it did not is believed for a short while.
   * @throws AutoPayError as `find`, or what `readTopUpTransaction` throws.
   */
  findToppedUp(transactionHash: Hex, topUp: { channelId: Hex; amount: bigint }): Promise<ChannelOnChain>;
  /**
   * Reads a known channel again and records it. Soon after the last time it does nothing.
   * @param wanted the deposit that is needed, atomic units
   * @returns whether the ledger may know more than before
   * @throws AutoPayError `channel_not_confirmed` if the deposit suffices once it counts
   */
  refresh(channelId: Hex, wanted: bigint): Promise<boolean>;
}

/** What a finder needs. */
export interface ChannelFinderOptions {
  reader: ChannelReader;
  ledger: Pick<Ledger, 'upsertChannel'>;
  /** Unix milliseconds. */
  nowMs: () => number;
  /** Lookups beyond this at one time are refused with `rate_limit_exceeded`. */
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

const tooManyLookups = () =>
  new AutoPayError(
    'rate_limit_exceeded',
    'Too many channels are being looked up on the chain. Try again in a second.',
    {
      facts: { retryAfterSeconds: 1 },
    },
  );

/** Makes a finder. Lookups of one thing at one time share one exchange with the chain. */
export function createChannelFinder(options: ChannelFinderOptions): ChannelFinder {
  const { reader, ledger, nowMs, maxConcurrent = 64, lookupBurst = 100, lookupsPerSecond = 10 } = options;
  const underWay = new Map<string, Promise<ChannelReading | undefined>>();
  const misses = createExpiringMap<AutoPayError | undefined>(missLifetimeMs, nowMs);
  const refreshed = createExpiringMap<ChannelReading | undefined>(refreshIntervalMs, nowMs);
  // Whoever asks for a channel that nobody has seen has paid for nothing yet; the watcher finds new ones without this.
  const lookups = createTokenBucket({ burst: lookupBurst, perSecond: lookupsPerSecond, nowMs });

  function share<T extends ChannelReading | undefined>(key: string, ask: () => Promise<T>): Promise<T> {
    // One key always stands for one question, so its answers have one type.
    const shared = underWay.get(key) as Promise<T> | undefined;
    if (shared) return shared;
    if (underWay.size >= maxConcurrent) return Promise.reject(tooManyLookups());
    const asking = ask().finally(() => underWay.delete(key));
    underWay.set(key, asking);
    return asking;
  }

  /** As `share`, for what is not known to exist. */
  function lookUp<T extends ChannelReading | undefined>(key: string, ask: () => Promise<T>): Promise<T> {
    if (!underWay.has(key) && !lookups.take()) return Promise.reject(tooManyLookups());
    return share(key, ask);
  }

  async function findByTransaction(key: string, ask: () => Promise<ChannelReading>): Promise<ChannelReading> {
    const miss = misses.get(key);
    if (miss) throw miss;
    try {
      return await lookUp(key, ask);
    } catch (error) {
      if (error instanceof AutoPayError && isMiss(error)) misses.set(key, error);
      throw error;
    }
  }

  return {
    async find(channelId) {
      const miss = misses.get(channelId);
      if (miss) throw miss;
      if (misses.has(channelId)) return undefined;
      const channel = await lookUp(channelId, () => reader.readChannel(channelId));
      if (!channel) misses.set(channelId, undefined);
      const unconfirmed = channel && faultOf(channel, 1n);
      if (!unconfirmed) return channel;
      misses.set(channelId, unconfirmed);
      throw unconfirmed;
    },
    findOpened: (transactionHash, channelId) =>
      findByTransaction(`${transactionHash}:${channelId}`, () =>
        reader.readOpenTransaction(transactionHash, { channelId }),
      ),
    findToppedUp: (transactionHash, topUp) =>
      findByTransaction(`${transactionHash}:${topUp.channelId}+${topUp.amount}`, () =>
        reader.readTopUpTransaction(transactionHash, topUp),
      ),
    async refresh(channelId, wanted) {
      // A refresh that is under way is waited for, so that parallel calls see its result too.
      if (!underWay.has(channelId) && refreshed.has(channelId)) {
        const last = refreshed.get(channelId);
        const unconfirmed = last && faultOf(last, wanted);
        if (unconfirmed) throw unconfirmed;
        return false;
      }
      refreshed.set(channelId, undefined);
      const channel = await share(channelId, () => reader.readChannel(channelId));
      if (!channel) return false;
      refreshed.set(channelId, channel);
      await ledger.upsertChannel(channel);
      const unconfirmed = faultOf(channel, wanted);
      if (unconfirmed) throw unconfirmed;
      return true;
    },
  };
}

/** Tells a payer whose deposit will do in a while from one who has to deposit more. */
function faultOf({ channelId, deposit, pending }: ChannelReading, wanted: bigint): AutoPayError | undefined {
  const isOnTheWay = pending !== undefined && deposit < wanted && wanted <= pending.seenDeposit;
  return isOnTheWay ? createNotConfirmed(channelId, pending) : undefined;
}

/** Whether the chain has answered that there is nothing (yet), as opposed to not having answered. */
function isMiss({ code }: AutoPayError): boolean {
  return code === 'channel_not_found' || code === 'transaction_reverted' || code === 'channel_not_confirmed';
}
