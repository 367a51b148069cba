import type { Address, Hex } from 'viem';
import { fiatTokenAbi } from '../protocol/abi/fiat-token.ts';
import { openAccount } from './stack/open-account.ts';

export interface FundDemoWalletOptions {
  /** JSON-RPC endpoint of a chain whose USDC the deployer may mint. */
  rpcUrl: string;
  /** The token, as `deploySystem` deployed it. */
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
  const { wallet, confirm } = openAccount({ rpcUrl: options.rpcUrl, privateKey: options.deployerPrivateKey });
  if (options.weiAmount > 0n) {
    await confirm(
      'The transfer of ether',
      wallet.sendTransaction({ chain: null, to: options.to, value: options.weiAmount }),
    );
  }
  if (options.usdcAtomic > 0n) {
    await confirm(
      'Minting USDC (is the deployer its minter?)',
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
