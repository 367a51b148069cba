import type { TransactionReceipt } from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';

/** How far an account is by the newest block, and what a transaction costs there. */
export interface AccountView {
  /** Unix milliseconds of this look. */
  atMs: number;
  blockNumber: bigint;
  /** The nonces below are used. */
  nextNonce: number;
  /** Wei per gas. */
  baseFee: bigint;
  /** Wei per gas that block makers expect. */
  priorityFee: bigint;
}

/**
 * Looks at an account.
 * @throws AutoPayError `chain_unavailable`.
 */
export async function readAccount(client: ChainClient, address: Hex): Promise<AccountView> {
  return callChain(`the state of account ${address}`, async () => {
    const [nextNonce, block, priorityFee] = await Promise.all([
      client.getTransactionCount({ address }),
      client.getBlock(),
      client.estimateMaxPriorityFeePerGas(),
    ]);
    return {
      ...{ atMs: Date.now(), blockNumber: block.number, nextNonce },
      ...{ baseFee: block.baseFeePerGas ?? 0n, priorityFee },
    };
  });
}

/**
 * The receipt of whichever of these is in a block; undefined if none is.
 * @throws AutoPayError `chain_unavailable`.
 */
export async function findReceipt(
  client: ChainClient,
  attempts: readonly { hash: Hex }[],
): Promise<TransactionReceipt | undefined> {
  const receipts = await Promise.all(
    attempts.map(({ hash }) =>
      callChain(`the receipt of ${hash}`, () =>
        client.getTransactionReceipt({ hash }).catch((error: unknown) => {
          if (error instanceof Error && error.name === 'TransactionReceiptNotFoundError') return undefined;
          throw error;
        }),
      ),
    ),
  );
  return receipts.find((receipt) => receipt !== undefined);
}

/**
 * Whether a nonce was used so many blocks ago that no lagging node explains a missing receipt.
 * @throws AutoPayError `chain_unavailable`.
 */
export async function isNonceBuried(
  client: ChainClient,
  { address, nonce, view, blocks }: { address: Hex; nonce: number; view: AccountView; blocks: number },
): Promise<boolean> {
  const blockNumber = view.blockNumber - BigInt(blocks);
  if (blockNumber < 0n || view.nextNonce <= nonce) return false;
  return callChain(
    `nonce ${nonce} of account ${address}`,
    async () => (await client.getTransactionCount({ address, blockNumber })) > nonce,
  );
}
