import { createPublicClient, formatEther, http } from 'viem';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { fundDemoWallet } from '../fund-demo-wallet.ts';

/** What each account should at least hold, and is given when it holds less. */
const GAS_WEI = { local: 10n ** 18n, outside: 2n * 10n ** 16n };
const WALLET_USDC_ATOMIC = 1_000_000_000n;

export interface FundAccountsOptions {
  rpcUrl: string;
  usdc: Hex;
  /** Whether the token was deployed with the stack, so that the deployer may mint it. */
  mintable: boolean;
  deployerKey: Hex;
  relay: Hex;
  wallet: Hex;
  chain: keyof typeof GAS_WEI;
  log: (line: string) => void;
}

/**
 * Gives the relay and the demo wallet gas, and the wallet 1,000 USDC, as far as they hold less.
 * Real USDC cannot be minted: then it says who needs some.
 */
export async function fundAccounts(options: FundAccountsOptions): Promise<void> {
  const { rpcUrl, usdc, deployerKey, wallet, log } = options;
  const reader = createPublicClient({ transport: http(rpcUrl) });
  const funds = { rpcUrl, usdc, deployerPrivateKey: deployerKey };
  const enoughWei = GAS_WEI[options.chain];
  for (const to of [options.relay, wallet]) {
    const weiAmount = enoughWei - (await reader.getBalance({ address: to }));
    // Topping up each time that some gas was used would cost more than it gives.
    if (weiAmount < enoughWei / 2n) continue;
    await fundDemoWallet({ ...funds, to, usdcAtomic: 0n, weiAmount });
    if (options.chain === 'outside') log(`sent ${formatEther(weiAmount)} ETH for gas to ${to}`);
  }
  const token = { address: usdc, abi: fiatTokenAbi } as const;
  const held = await reader.readContract({ ...token, functionName: 'balanceOf', args: [wallet] });
  if (held >= WALLET_USDC_ATOMIC / 2n) return;
  if (options.mintable)
    await fundDemoWallet({ ...funds, to: wallet, usdcAtomic: WALLET_USDC_ATOMIC - held, weiAmount: 0n });
  else if (held === 0n) log(`the demo wallet has no USDC yet: send some to ${wallet}`);
}
