import { buildModule } from '@nomicfoundation/hardhat-ignition/modules';
import type { Address } from 'viem';

/** Who gets AGPT at its deployment, and how much (wei): there is no other way to get any. */
export interface AgptPlan {
  holder: Address;
  supply: bigint;
}

/** AGPT alone: price tables name tokens by address, so the tokens are deployed before what holds the table's root. */
export function agptModule({ holder, supply }: AgptPlan) {
  return buildModule('Agpt', (m) => ({ agpt: m.contract('AGPT', [holder, supply]) }));
}
