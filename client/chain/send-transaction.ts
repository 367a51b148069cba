import {
  BaseError,
  createWalletClient,
  type Account,
  type PublicClient,
  type TransactionReceipt,
  type Transport,
  type WalletClient,
} from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { TokenUnit } from '../token-amount.ts';
import { explainRevert } from './explain-revert.ts';

const receiptTimeoutMs = 180_000;

/** A call of a contract, encoded. */
export interface ContractCall {
  to: Hex;
  data: Hex;
  /** Of the amounts in the contract's errors, where they are of one token: errors are then told in it. */
  unit?: TokenUnit;
}

/** Sends transactions of one account. */
export interface Sender {
  address: Hex;
  /**
   * Simulates the call, sends it, and returns once it is in a block.
   * @param what names it in errors, as the subject of a sentence ("The vote").
   * @throws AutoPayError `transaction_failed` if it would revert (nothing is signed then) or did; `chain_unavailable`.
   */
  send(what: string, call: ContractCall): Promise<TransactionReceipt>;
}

/** A sender for an account whose key this process has. */
export function createSender(options: { reader: PublicClient; transport: Transport; account: Account }): Sender {
  const { reader, transport, account } = options;
  const wallet: WalletClient<Transport, undefined, Account> = createWalletClient({ account, transport });
  return {
    address: account.address.toLowerCase() as Hex,
    async send(what, { to, data, unit }) {
      try {
        // Simulated first: a revert is then known, with its reason, before anything is signed. In the block to come, because
        // votes that were delegated in the last one count only from then on.
        await reader.call({ account, to, data, blockTag: 'pending' });
        const hash = await wallet.sendTransaction({ to, data, chain: null });
        return await confirmTransaction(what, { reader, hash });
      } catch (error) {
        throw asChainError(error, what, unit);
      }
    },
  };
}

/** Waits for a transaction. "Mined" is not "succeeded", so its status is read. */
export async function confirmTransaction(
  what: string,
  { reader, hash }: { reader: PublicClient; hash: Hex },
): Promise<TransactionReceipt> {
  const receipt = await reader.waitForTransactionReceipt({ hash, timeout: receiptTimeoutMs });
  if (receipt.status === 'success') return receipt;
  throw new AutoPayError(
    'transaction_failed',
    `${what} reverted in transaction ${hash}. Try again, or look it up there.`,
  );
}

/** Requires that an endpoint is on the chain it should be. */
export async function checkChainId(reader: PublicClient, expected: number): Promise<void> {
  const actual = await reader.getChainId();
  if (actual !== expected) {
    throw new AutoPayError(
      'chain_unavailable',
      `The RPC endpoint is on chain ${actual}, the relay on ${expected}. Give an endpoint of that chain.`,
    );
  }
}

/**
 * What viem threw, as an error that says what to do; other errors stay as they are.
 * @param unit of the amounts in the contract's error, if they are of one token.
 */
export function asChainError(error: unknown, what = 'The call', unit?: TokenUnit): unknown {
  if (!(error instanceof BaseError)) return error;
  const isTransport =
    error.walk((cause) => cause instanceof Error && ['HttpRequestError', 'TimeoutError'].includes(cause.name)) !== null;
  if (isTransport) {
    return new AutoPayError(
      'chain_unavailable',
      'The RPC endpoint does not answer. Check its URL and that the chain runs.',
      { cause: error },
    );
  }
  return new AutoPayError('transaction_failed', `${what} is refused by the chain: ${explainRevert(error, unit)}`, {
    cause: error,
  });
}
