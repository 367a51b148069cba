import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { ChannelReader } from '../../chain/create-channel-reader.ts';
import type { CollectedResult } from '../../collection/run-collection.ts';
import type { Collection } from '../../ledger/background-ledger.ts';
import type { ChannelLedger } from '../../ledger/channel-ledger.ts';
import type { ChannelState, Ledger, VerifiedVoucher } from '../../ledger/ledger.ts';
import { withTimeout } from '../../with-timeout.ts';
import type { SponsorLimits } from './sponsor-limits.ts';

/** Closes channels because their payers ask. */
export interface ChannelCloser {
  /**
   * Takes what a channel was charged and gives the rest of its deposit back. A channel that was closed so before has its
   * transaction told again.
   *
   * @param voucher the final one, verified; null where the payer has shown by other means that it wants this
   * @throws AutoPayError `channel_in_use` while calls are under way, or a collection that does not end; `channel_finalized`,
   * `amount_exceeds_deposit`, `rate_limit_exceeded`, `transaction_reverted`; `transaction_pending` if it takes too long (the same request
   * may be sent again)
   */
  close(
    channel: ChannelState,
    voucher: VerifiedVoucher | null,
  ): Promise<{ channel: ChannelState; transactionHash: Hex }>;
}

/** What closing needs. */
export interface ChannelCloserOptions {
  ledger: Pick<Ledger, 'getChannel' | 'upsertChannel'> & Pick<ChannelLedger, 'openClosing' | 'findClosing'>;
  /** Runs the ordinary collections to their end. */
  collect: () => Promise<unknown>;
  /** Runs one collection to its end; undefined if it came to nothing. */
  settle: (collection: Collection) => Promise<CollectedResult | undefined>;
  reader: Pick<ChannelReader, 'readChannel'>;
  limits: SponsorLimits;
  /** How long a request waits for its close. */
  timeoutMs?: number;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/** Makes the closer of channels. */
export function createChannelCloser(options: ChannelCloserOptions): ChannelCloser {
  const { ledger, timeoutMs = 30_000 } = options;

  async function begin(channelId: Hex, voucher: VerifiedVoucher | null): Promise<Collection> {
    const request = { channelId, voucher, nowMs: options.nowMs() };
    let opened = await ledger.openClosing(request);
    if (opened === 'collecting') {
      await options.collect();
      opened = await ledger.openClosing(request);
    }
    if (opened !== 'collecting') return opened;
    const message = 'What this channel owes is being collected. Send the same request again in a minute.';
    throw new AutoPayError('channel_in_use', message, { facts: { channelId } });
  }

  async function run(channelId: Hex, voucher: VerifiedVoucher | null): Promise<Hex> {
    let result: CollectedResult | undefined;
    try {
      result = await options.settle(await begin(channelId, voucher));
    } catch (error) {
      await readAgain(channelId);
      throw error;
    }
    if (result?.closed.includes(channelId)) return result.transactionHash;
    await readAgain(channelId);
    const message =
      'The channel could not be closed: the escrow did not take it, or the token does not pay the payer back. Close it by requestClose on the chain.';
    throw new AutoPayError('transaction_reverted', message, { facts: { channelId } });
  }

  /** It counted as closing while that was tried; what holds now, the chain says. */
  async function readAgain(channelId: Hex): Promise<void> {
    const channel = await options.reader.readChannel(channelId);
    if (channel) await ledger.upsertChannel(channel);
  }

  return {
    async close(channel, voucher) {
      const { channelId } = channel;
      const closedBy = channel.finalized ? await ledger.findClosing(channelId) : undefined;
      if (closedBy !== undefined) return { channel, transactionHash: closedBy };
      if (!channel.finalized && channel.reserved === 0n) options.limits.take(channel.payer);
      const transactionHash = await withTimeout(run(channelId, voucher), { timeoutMs, late: pending });
      return { channel: (await ledger.getChannel(channelId)) ?? channel, transactionHash };
    },
  };
}

function pending(): AutoPayError {
  const message = 'The close is not in a block yet. Send the same request again.';
  return new AutoPayError('transaction_pending', message);
}
