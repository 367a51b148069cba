import { join } from 'node:path';
import { larger } from '../protocol/bytes/compare-amounts.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { depositWaitMs, type ChannelParties } from './find-channel.ts';
import { checkDeposit } from './wallet-limits.ts';
import { channelIn, type WalletChannel } from './wallet-state.ts';
import { withLockFile } from './with-lock-file.ts';

/** How much a channel gets; atomic units. */
export interface TopUpRequest {
  channelId: Hex;
  /** What is put in, if the wallet has that much. */
  amount: bigint;
  /** The least that helps. */
  least: bigint;
  /** Whether the channel, as the chain has it by now, still needs it. */
  isNeeded: (channel: WalletChannel) => boolean;
}

/** Puts more money into a channel. */
export type ChannelFiller = (request: TopUpRequest) => Promise<WalletChannel>;

/**
 * Makes the filler of a wallet's channels. However many calls find a channel empty at once, in this process or in others on the same
 * folder, one deposit is made. A top-up that the chain has and the state does not (a crash came between) is taken into the books
 * first, and is not made again.
 * The filler throws AutoPayError `invalid_argument` if no chain is known; `wallet_limit_exceeded` above the limit for one deposit; what
 * `WalletChain.topUpChannel` throws.
 */
export function createChannelFiller(parties: ChannelParties): ChannelFiller {
  const { chain, state, terms } = parties;

  /** Takes over what the chain says of the deposit: it only grows. */
  async function readDeposit(channelId: Hex, onChain: { deposit: bigint } | undefined): Promise<WalletChannel> {
    return state.update((saved) => {
      const channel = channelIn(saved, channelId);
      if (onChain && onChain.deposit > channel.deposit) channel.deposit = onChain.deposit;
      return channel;
    });
  }

  return async ({ channelId, amount, least, isNeeded }) => {
    if (!chain) {
      throw new AutoPayError('invalid_argument', 'Give rpcUrl, so that this wallet can top its channel up.');
    }
    return withLockFile({ file: join(parties.stateDir, 'opening.lock'), waitMs: depositWaitMs }, async () => {
      const onChain = await chain.readChannel(channelId);
      const channel = await readDeposit(channelId, onChain);
      if (!isNeeded(channel)) return channel;
      if (!onChain || onChain.isClosing) {
        throw new AutoPayError(
          'channel_closing',
          `Channel ${channelId} is closing and takes no deposit. Open another one.`,
        );
      }
      const balance = await chain.balanceOf(terms.token.address);
      // Of a wallet that has less than the least, the chain side says by how much it falls short.
      const deposit = balance < amount ? larger(balance, least) : amount;
      checkDeposit(deposit, { limits: await parties.limits(), token: terms.token });
      await chain.topUpChannel({ token: terms.token, channelId, amount: deposit });
      return readDeposit(channelId, await chain.readChannel(channelId));
    });
  };
}
