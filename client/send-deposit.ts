import type { Account, PublicClient, Transport, WalletClient } from 'viem';
import { fiatTokenAbi } from '../protocol/abi/fiat-token.ts';
import { paymentChannelsAbi } from '../protocol/abi/payment-channels.ts';
import { zeroAddress, type Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { confirmTransaction } from './chain/send-transaction.ts';
import type { PayToken, RelayOffer } from './fetch-relay-terms.ts';
import { formatAmount } from './token-amount.ts';

/** A deposit of a wallet, and where it goes. */
export interface Depositing {
  reader: PublicClient;
  wallet: WalletClient<Transport, undefined, Account>;
  terms: Pick<RelayOffer, 'escrow' | 'payee'>;
  token: PayToken;
  deposit: bigint;
}

/**
 * Lets the escrow take the deposit, unless it may already.
 * @throws AutoPayError `transaction_failed` if the wallet has less.
 */
async function approveDeposit({ reader, wallet, terms, token: paid, deposit }: Depositing): Promise<void> {
  const { account } = wallet;
  const token = { address: paid.address, abi: fiatTokenAbi } as const;
  const balance = await reader.readContract({ ...token, functionName: 'balanceOf', args: [account.address] });
  if (balance < deposit) {
    const holds = formatAmount(balance, paid);
    const remedy = 'Fund it, or choose a smaller deposit, such as: autopay channel open --deposit 1';
    throw new AutoPayError(
      'transaction_failed',
      `The wallet ${account.address} holds ${holds}; the deposit needs ${formatAmount(deposit, paid)}. ${remedy}`,
    );
  }
  const parties = [account.address, terms.escrow] as const;
  if ((await reader.readContract({ ...token, functionName: 'allowance', args: parties })) >= deposit) return;
  const approval = { ...token, functionName: 'approve', args: [terms.escrow, deposit] } as const;
  const { request } = await reader.simulateContract({ ...approval, account });
  await confirmTransaction('Approving the deposit', {
    reader,
    hash: await wallet.writeContract({ ...request, chain: null }),
  });
}

/**
 * Approves the deposit and opens the channel with it.
 * @throws AutoPayError `transaction_failed` if the wallet has less.
 */
export async function makeDeposit(depositing: Depositing, salt: Hex): Promise<void> {
  const { reader, wallet, terms, token, deposit } = depositing;
  await approveDeposit(depositing);
  const open = {
    address: terms.escrow,
    abi: paymentChannelsAbi,
    functionName: 'open',
    args: [terms.payee, token.address, deposit, salt, zeroAddress],
  } as const;
  // Simulated first: a revert is then known, with its reason, before gas is spent on it.
  const { request } = await reader.simulateContract({ ...open, account: wallet.account });
  await confirmTransaction('Opening the channel', {
    reader,
    hash: await wallet.writeContract({ ...request, chain: null }),
  });
}

/**
 * Approves the deposit and puts it into an open channel.
 * @throws AutoPayError `transaction_failed` if the wallet has less; `transaction_pending` while a transaction of it is under way.
 */
export async function topUpDeposit(depositing: Depositing, channelId: Hex): Promise<void> {
  const { reader, wallet, terms, deposit } = depositing;
  // It may be this very top-up, sent before a crash: twice would be too much.
  await requireIdle(depositing);
  await approveDeposit(depositing);
  const topUp = {
    address: terms.escrow,
    abi: paymentChannelsAbi,
    functionName: 'topUp',
    args: [channelId, deposit],
  } as const;
  const { request } = await reader.simulateContract({ ...topUp, account: wallet.account });
  await confirmTransaction('Topping the channel up', {
    reader,
    hash: await wallet.writeContract({ ...request, chain: null }),
  });
}

/** @throws AutoPayError `transaction_pending` while a transaction of the wallet is under way. */
async function requireIdle({ reader, wallet }: Pick<Depositing, 'reader' | 'wallet'>): Promise<void> {
  const { address } = wallet.account;
  const [mined, sent] = await Promise.all([
    reader.getTransactionCount({ address, blockTag: 'latest' }),
    reader.getTransactionCount({ address, blockTag: 'pending' }),
  ]);
  if (sent <= mined) return;
  throw new AutoPayError(
    'transaction_pending',
    `A transaction of ${address} is not in a block yet; it may be this top-up, sent before. Try again once it is.`,
  );
}
