import { createPublicClient, createWalletClient, http } from 'viem';
import type { Address, Hex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { fiatTokenAbi } from '../protocol/abi/fiat-token.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

export interface FundDemoWalletOptions {
  /** JSON-RPC endpoint of a chain whose USDC the deployer may mint. */
  rpcUrl: string;
  /** The token, as `deployContracts` deployed it. */
  usdc: Address;
  /** Minter of the token, and source of the ether. */
  deployerPrivateKey: Hex;
  /** The wallet. */
  to: Address;
  /** USDC to mint, atomic units (6 decimals). */
  usdcAtomic: bigint;
  /** Ether to send for gas, wei. */
  weiAmount: bigint;
}

/**
 * Gives a wallet ether and freshly minted USDC, and returns once both are in a block.
 *
 * @throws AutoPayError `transaction_failed` if a transaction reverts
 */
export async function fundDemoWallet(options: FundDemoWalletOptions): Promise<void> {
  const account = privateKeyToAccount(options.deployerPrivateKey);
  const transport = http(options.rpcUrl);
  const reader = createPublicClient({ transport, pollingInterval: 100 });
  const wallet = createWalletClient({ account, transport });

  const send = async (what: string, hash: Promise<Hex>): Promise<void> => {
    const receipt = await reader.waitForTransactionReceipt({ hash: await hash });
    if (receipt.status === 'success') return;
    throw new AutoPayError(
      'transaction_failed',
      `${what} reverted (${receipt.transactionHash}); is the deployer its minter?`,
    );
  };
  if (options.weiAmount > 0n) {
    await send(
      'The transfer of ether',
      wallet.sendTransaction({ chain: null, to: options.to, value: options.weiAmount }),
    );
  }
  if (options.usdcAtomic > 0n) {
    await send(
      'Minting USDC',
      wallet.writeContract({
        chain: null,
        address: options.usdc,
        abi: fiatTokenAbi,
        functionName: 'mint',
        args: [options.to, options.usdcAtomic],
      }),
    );
  }
}
