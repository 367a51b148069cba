import { createPublicClient, createWalletClient, http } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** Opens the account of a private key on a chain. */
export function openAccount(options: { rpcUrl: string; privateKey: Hex }) {
  const account = privateKeyToAccount(options.privateKey);
  const transport = http(options.rpcUrl);
  const reader = createPublicClient({ transport, pollingInterval: 100 });
  return {
    address: account.address,
    reader,
    wallet: createWalletClient({ account, transport }),
    /**
     * Waits until a transaction is in a block.
     * @throws AutoPayError `transaction_failed` if it reverts
     */
    confirm: async (what: string, hash: Promise<Hex>): Promise<void> => {
      const receipt = await reader.waitForTransactionReceipt({ hash: await hash });
      if (receipt.status === 'success') return;
      throw new AutoPayError('transaction_failed', `${what} reverted (${receipt.transactionHash}).`);
    },
  };
}
