import { createPublicClient, formatEther, http } from 'viem';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { Deployment } from '../../protocol/deployment/deployment-schema.ts';
import { fundDemoWallet } from '../fund-demo-wallet.ts';
import { addressOfKey } from './address-of-key.ts';
import { depositBond } from './deposit-bond.ts';

/** What each account should at least hold, and is given when it holds less. */
const GAS_WEI = { local: 10n ** 18n, outside: 2n * 10n ** 16n };
const WALLET_USDC_ATOMIC = 1_000_000_000n;
/** The relay's bond: what it can have booked and not yet released. */
const BOND_USDC_ATOMIC = 500_000_000n;
const BOND_AGPT_WEI = 50_000n * 10n ** 18n;

/** Whom to fund. */
export interface FundAccountsOptions {
  rpcUrl: string;
  deployment: Deployment;
  /** Whether USDC was deployed with the stack, so that the deployer may mint it. */
  isMintable: boolean;
  deployerKey: Hex;
  relay: Hex;
  /** The demo wallet's; it holds the AGPT. */
  walletKey: Hex;
  chain: keyof typeof GAS_WEI;
  log: (line: string) => void;
}

/**
 * Gives the relay and the demo wallet gas, the wallet 1,000 USDC, and the relay a bond of 500 USDC and 50,000 AGPT, as far as
 * there is less. Real USDC cannot be minted: then it says who needs some.
 */
export async function fundAccounts(options: FundAccountsOptions): Promise<void> {
  await fundGas(options);
  await fundWallet(options);
  await fundBond(options);
}

async function fundGas(options: FundAccountsOptions): Promise<void> {
  const { rpcUrl, log } = options;
  const reader = createPublicClient({ transport: http(rpcUrl) });
  const enoughWei = GAS_WEI[options.chain];
  for (const to of [options.relay, addressOfKey(options.walletKey)]) {
    const weiAmount = enoughWei - (await reader.getBalance({ address: to }));
    // Topping up each time that some gas was used would cost more than it gives.
    if (weiAmount < enoughWei / 2n) continue;
    await fundDemoWallet({ ...minting(options), to, usdcAtomic: 0n, weiAmount });
    if (options.chain === 'outside') log(`sent ${formatEther(weiAmount)} ETH for gas to ${to}`);
  }
}

async function fundWallet(options: FundAccountsOptions): Promise<void> {
  const reader = createPublicClient({ transport: http(options.rpcUrl) });
  const wallet = addressOfKey(options.walletKey);
  const { usdc } = minting(options);
  const held = await reader.readContract({
    address: usdc,
    abi: fiatTokenAbi,
    functionName: 'balanceOf',
    args: [wallet],
  });
  if (held >= WALLET_USDC_ATOMIC / 2n) return;
  if (options.isMintable) {
    await fundDemoWallet({ ...minting(options), to: wallet, usdcAtomic: WALLET_USDC_ATOMIC - held, weiAmount: 0n });
  } else if (held === 0n) options.log(`the demo wallet has no USDC yet: send some to ${wallet}`);
}

async function fundBond(options: FundAccountsOptions): Promise<void> {
  const { rpcUrl, deployment, deployerKey, walletKey } = options;
  const { autoPayLLM, agpt } = deployment.contracts;
  await depositBond({ rpcUrl, autoPayLLM, token: agpt, privateKey: walletKey, target: BOND_AGPT_WEI });
  if (!options.isMintable) {
    options.log('the relay needs a bond in USDC before it can book: AutoPayLLM.depositBond(token, amount), by anyone');
    return;
  }
  const { usdc } = minting(options);
  await depositBond({
    ...{ rpcUrl, autoPayLLM, token: usdc, privateKey: deployerKey, target: BOND_USDC_ATOMIC },
    obtain: (missing) =>
      fundDemoWallet({ ...minting(options), to: addressOfKey(deployerKey), usdcAtomic: missing, weiAmount: 0n }),
  });
}

function minting({ rpcUrl, deployment, deployerKey }: FundAccountsOptions) {
  const usdc = deployment.tokens['USDC']?.address;
  if (usdc === undefined) throw new Error('the deployment names no USDC');
  return { rpcUrl, usdc, deployerPrivateKey: deployerKey };
}
