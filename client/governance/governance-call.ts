import { encodeFunctionData, type Abi } from 'viem';
import type { ContractAddresses } from '../../protocol/deployment/deployment-schema.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { knownContracts } from '../chain/known-contracts.ts';

/** One call that the timelock makes when a proposal is executed. */
export interface GovernanceCall {
  target: Hex;
  /** Wei that goes with it. */
  value: bigint;
  calldata: Hex;
}

/** Encodes a call of one of the deployment's contracts. */
export function encodeCall(
  contracts: ContractAddresses,
  call: { contract: keyof ContractAddresses; functionName: string; args: readonly unknown[] },
): GovernanceCall {
  const { contract, functionName, args } = call;
  const abi: Abi = knownContracts[contract].abi;
  return { target: contracts[contract], value: 0n, calldata: encodeFunctionData({ abi, functionName, args }) };
}
