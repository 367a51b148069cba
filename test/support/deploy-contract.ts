import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeDeployData, getContractAddress, type Abi } from 'viem';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { openAccount } from '../../scripts/stack/open-account.ts';
import { LOCAL_DEPLOYER_KEY } from '../../scripts/stack/start-local-chain.ts';

const mocks = join(import.meta.dirname, '../../artifacts/contracts/mocks');

/** A contract of a local chain, which its deployer may call. */
export interface DeployedContract {
  address: Hex;
  /** Sends a transaction and waits until it is in a block. */
  call(functionName: string, args: readonly unknown[]): Promise<void>;
}

/** Deploys a compiled contract of `contracts/mocks` on a local chain. */
export async function deployContract(options: {
  rpcUrl: string;
  file: string;
  name: string;
  args: readonly unknown[];
}): Promise<DeployedContract> {
  const { rpcUrl, file, name, args } = options;
  const artifact = JSON.parse(await readFile(join(mocks, `${file}.sol/${name}.json`), 'utf8')) as {
    abi: Abi;
    bytecode: Hex;
  };
  const { abi, bytecode } = artifact;
  const { address: from, confirm, reader, wallet } = openAccount({ rpcUrl, privateKey: LOCAL_DEPLOYER_KEY });
  const nonce = BigInt(await reader.getTransactionCount({ address: from }));
  const data = encodeDeployData({ abi, bytecode, args });
  await confirm(`Deploying ${name}`, wallet.sendTransaction({ chain: null, data }));
  const address = getContractAddress({ from, nonce }).toLowerCase() as Hex;
  return {
    address,
    call: (functionName, callArgs) =>
      confirm(functionName, wallet.writeContract({ chain: null, address, abi, functionName, args: callArgs })),
  };
}
