import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPublicClient, createWalletClient, defineChain, http, zeroHash, type TransactionReceipt } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { toHex, zeroAddress, type Hex } from '../../protocol/bytes/hex.ts';
import type { DeployedTokens, Deployment } from '../../protocol/deployment/deployment-schema.ts';
import { addressOfPrivateKey, signDigest } from '../../protocol/bytes/secp256k1.ts';
import { computeChannelId } from '../../protocol/typed-data/channel-id.ts';
import { voucherDigest, voucherDomainSeparator } from '../../protocol/typed-data/voucher.ts';
import { fundAccounts } from '../../scripts/stack/fund-accounts.ts';
import { runDeployment } from '../../scripts/stack/run-deployment.ts';
import { LOCAL_DEPLOYER_KEY } from '../../scripts/stack/start-local-chain.ts';
import { startChain, type LocalChain } from './start-chain.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** Addresses of a deployment, in lower case. */
export type TestContracts = Deployment['contracts'] & { usdc: Hex; deployedAtBlock: number };

/** A channel that a test opened. */
export interface TestChannel {
  channelId: Hex;
  salt: Hex;
  transactionHash: Hex;
  /** Signs a voucher with the payer's key. */
  sign(cumulativeAmount: bigint): Hex;
}

/** A local chain with everything on it, a payer with 1,000 USDC and all AGPT, and a bond of 500 USDC and 50,000 AGPT. */
export interface ChainStack {
  chain: LocalChain;
  contracts: TestContracts;
  deployment: Deployment;
  relayKey: Buffer;
  relay: Hex;
  payerKey: Buffer;
  payer: Hex;
  /** Sends a transaction of the payer and requires that it succeeds. */
  sendAsPayer(call: PayerCall): Promise<TransactionReceipt>;
  /** Lets the escrow take this much USDC of the payer. */
  approve(amountAtomic: bigint): Promise<void>;
  openChannel(options: { deposit: bigint; payee?: Hex; salt?: Hex }): Promise<TestChannel>;
  stop(): Promise<void>;
}

/** A call of the escrow by the payer. */
export type PayerCall =
  | { functionName: 'topUp'; args: readonly [Hex, bigint] }
  | { functionName: 'requestClose' | 'withdraw'; args: readonly [Hex] };

/**
 * Starts a chain, deploys with the deployment script, and funds a payer and the relay's bond. The provider `simulated` has a
 * payout address.
 * @param options.priceRootOf root of the price table in force; none by default
 */
export async function deployStack(
  options: {
    priceRootOf?: (tokens: DeployedTokens) => Hex;
    chainId?: number;
    /** Of a stack on another chain: the same relay and payer, and so contracts at the same addresses. */
    like?: Pick<ChainStack, 'relayKey' | 'payerKey'>;
  } = {},
): Promise<ChainStack> {
  const { like, chainId = 31_337, priceRootOf = () => zeroHash } = options;
  const chain = await startChain({ chainId });
  const folder = await mkdtemp(join(tmpdir(), 'autopay-deploy-'));
  const stop = async (): Promise<void> => {
    await chain.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const relayKey = like?.relayKey ?? randomBytes(32);
    const payerKey = like?.payerKey ?? randomBytes(32);
    const relay = addressOfPrivateKey(relayKey);
    const payer = addressOfPrivateKey(payerKey);
    const deployment = await deploy({ chain, folder, relay, payer, priceRootOf });
    await fundAccounts({
      rpcUrl: chain.rpcUrl,
      deployment,
      isMintable: true,
      deployerKey: LOCAL_DEPLOYER_KEY,
      relay,
      walletKey: toHex(payerKey),
      chain: 'local',
      log: () => undefined,
    });
    const usdc = deployment.tokens['USDC']?.address ?? zeroAddress;
    const contracts = { ...deployment.contracts, usdc, deployedAtBlock: deployment.deployedAtBlock };
    const stack = { chain, contracts, deployment, relayKey, relay, payerKey, payer, stop };
    return { ...stack, ...payerSide(stack) };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Pays out what providers earn; Hardhat's third account. */
const payout = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC';

function deploy(options: {
  chain: LocalChain;
  folder: string;
  relay: Hex;
  payer: Hex;
  priceRootOf: (tokens: DeployedTokens) => Hex;
}): Promise<Deployment> {
  const { chain, folder, relay, payer, priceRootOf } = options;
  return runDeployment({
    root,
    rpcUrl: chain.rpcUrl,
    chainId: chain.chainId,
    deployerPrivateKey: LOCAL_DEPLOYER_KEY,
    deploymentDir: join(folder, 'ignition'),
    choices: {
      relay,
      bondPayout: payout,
      agptHolder: payer,
      agptSupply: 1_000_000_000n * 10n ** 18n,
      providers: { simulated: payout },
    },
    priceRootOf,
  });
}

function payerSide(stack: Pick<ChainStack, 'chain' | 'contracts' | 'payerKey' | 'payer'>) {
  const { chain, contracts, payerKey, payer } = stack;
  const transport = http(chain.rpcUrl);
  const reader = createPublicClient({ transport, pollingInterval: 50 });
  const wallet = createWalletClient({
    account: privateKeyToAccount(toHex(payerKey)),
    chain: defineChain({
      id: chain.chainId,
      name: 'local',
      nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
      rpcUrls: { default: { http: [chain.rpcUrl] } },
    }),
    transport,
  });
  const succeeded = async (hash: Hex): Promise<TransactionReceipt> => {
    const receipt = await reader.waitForTransactionReceipt({ hash });
    if (receipt.status !== 'success') throw new Error(`transaction ${hash} reverted`);
    return receipt;
  };
  const escrow = { address: contracts.paymentChannels, abi: paymentChannelsAbi } as const;
  const separator = voucherDomainSeparator({ chainId: chain.chainId, verifyingContract: contracts.paymentChannels });

  const approve = async (amountAtomic: bigint): Promise<void> => {
    const token = { address: contracts.usdc, abi: fiatTokenAbi } as const;
    await succeeded(
      await wallet.writeContract({
        ...token,
        functionName: 'approve',
        args: [contracts.paymentChannels, amountAtomic],
      }),
    );
  };

  return {
    approve,
    async sendAsPayer(call: PayerCall) {
      if (call.functionName === 'topUp') return succeeded(await wallet.writeContract({ ...escrow, ...call }));
      const { functionName, args } = call;
      return succeeded(await wallet.writeContract({ ...escrow, functionName, args }));
    },
    async openChannel({
      deposit,
      payee = contracts.autoPayLLM,
      salt = toHex(randomBytes(32)),
    }: {
      deposit: bigint;
      payee?: Hex;
      salt?: Hex;
    }): Promise<TestChannel> {
      await approve(deposit);
      const receipt = await succeeded(
        await wallet.writeContract({
          ...escrow,
          functionName: 'open',
          args: [payee, contracts.usdc, deposit, salt, zeroAddress],
        }),
      );
      const channelId = computeChannelId({
        ...{ payer, payee, token: contracts.usdc, salt, authorizedSigner: zeroAddress },
        ...{ escrow: contracts.paymentChannels, chainId: chain.chainId },
      });
      const sign = (cumulativeAmount: bigint): Hex =>
        toHex(signDigest(voucherDigest(separator, { channelId, cumulativeAmount }), payerKey));
      return { channelId, salt, transactionHash: receipt.transactionHash, sign };
    },
  };
}
