import { encodeFunctionData, type TransactionReceipt } from 'viem';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { zeroAddress, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';
import { readFinalBlock, type Finality } from './finality.ts';
import type { TransactionQueue } from './send-queued-transactions.ts';

/** A channel of the relay's own, as the escrow has it; amounts are atomic units. */
export interface EscrowChannel {
  /** By the newest block; 0 if it was never opened. */
  deposit: bigint;
  /** What of it counts by the chain's finality. */
  finalDeposit: bigint;
  /** What its payee has taken. */
  settled: bigint;
  /** Whether its payer has asked for its close. */
  isClosing: boolean;
  finalized: boolean;
  /** The newest block, as far as the node that was asked has it. */
  atBlock: number;
}

/** Where a channel is read. */
export interface EscrowPlace {
  client: Pick<ChainClient, 'getBlock' | 'getBlockNumber' | 'readContract'>;
  escrow: Hex;
  finality: Finality;
}

/**
 * Reads a channel.
 * @throws AutoPayError `chain_unavailable`
 */
export async function readEscrowChannel(place: EscrowPlace, channelId: Hex): Promise<EscrowChannel> {
  const { client, escrow, finality } = place;
  const read = (blockNumber: number) =>
    callChain(`channel ${channelId}`, () =>
      client.readContract({
        ...{ address: escrow, abi: paymentChannelsAbi, functionName: 'getChannel', args: [channelId] },
        blockNumber: BigInt(blockNumber),
      }),
    );
  const newest = Number(await callChain('the newest block', () => client.getBlockNumber()));
  const channel = await read(newest);
  const finalBlock = channel.deposit === 0n ? newest : await readFinalBlock(client, finality, newest);
  const earlier = finalBlock >= newest ? channel : finalBlock < 0 ? { deposit: 0n } : await read(finalBlock);
  return {
    deposit: channel.deposit,
    finalDeposit: earlier.deposit < channel.deposit ? earlier.deposit : channel.deposit,
    settled: channel.settled,
    isClosing: channel.closeRequestedAt !== 0n,
    finalized: channel.finalized,
    atBlock: newest,
  };
}

/** A deposit into a channel of the relay's own. */
export interface Funding {
  /** Names the deposit for ever: it is made once. */
  purpose: string;
  payer: Hex;
  payee: Hex;
  token: Hex;
  /** Atomic units. */
  amount: bigint;
  salt: Hex;
  channelId: Hex;
  /** Whether it is the first, which opens the channel. */
  opens: boolean;
}

/**
 * Makes a deposit, once: a deposit that was sent before, also by an earlier process, is waited for and not sent again. The escrow is
 * allowed to take what is deposited, and no more.
 * @throws AutoPayError `insufficient_balance` if the wallet lacks the money: nothing was sent; or as `TransactionQueue.send`
 */
export async function fundChannel(
  {
    client,
    escrow,
    queue,
  }: Pick<EscrowPlace, 'client' | 'escrow'> & { queue: Pick<TransactionQueue, 'follow' | 'send'> },
  funding: Funding,
): Promise<TransactionReceipt> {
  const { amount, channelId, payee, payer, purpose, salt, token } = funding;
  const earlier = await queue.follow(purpose);
  if (earlier) return earlier;
  const contract = { address: token, abi: fiatTokenAbi } as const;
  const [balance, allowance] = await callChain(`what ${payer} has`, () =>
    Promise.all([
      client.readContract({ ...contract, functionName: 'balanceOf', args: [payer] }),
      client.readContract({ ...contract, functionName: 'allowance', args: [payer, escrow] }),
    ]),
  );
  if (balance < amount) {
    const facts = { balance: String(balance), amount: String(amount), token };
    const message = `The wallet ${payer} has ${balance} of ${token}, and the deposit takes ${amount}. Fund it; it is tried again.`;
    throw new AutoPayError('insufficient_balance', message, { facts });
  }
  if (allowance < amount) {
    const data = encodeFunctionData({ abi: fiatTokenAbi, functionName: 'approve', args: [escrow, amount] });
    // An approval may have been used up by another deposit, so it is no job that is done once for ever. Twice does no harm.
    await queue.send({ purpose: `${purpose}:approve:${Date.now()}`, to: token, data });
  }
  const data = funding.opens
    ? encodeFunctionData({
        ...{ abi: paymentChannelsAbi, functionName: 'open', args: [payee, token, amount, salt, zeroAddress] },
      })
    : encodeFunctionData({ abi: paymentChannelsAbi, functionName: 'topUp', args: [channelId, amount] });
  return queue.send({ purpose, to: escrow, data });
}
