import { permit2WitnessTypes, uptoPermit2WitnessTypes } from '@x402/evm';
import type { Hex } from 'viem';
import { exactProxyAddress, permit2Address, uptoProxyAddress } from '../../../protocol/x402/addresses.ts';
import type { GasSystem } from './gas-system.ts';

/** What the payer signs for Permit2 to pay the desk, as x402 `exact` or `upto`; amounts in atomic units, times in Unix seconds. */
export interface PermitTerms {
  isUpto: boolean;
  token: Hex;
  amount: bigint;
  validAfter: bigint;
  validBefore: bigint;
  nonce: Hex;
}

/** Signs a permit of the payer, with the types that x402's own client signs. */
export async function signPermit(system: GasSystem, terms: PermitTerms): Promise<Hex> {
  const desk = system.contracts.paymentDesk.address;
  const { isUpto, token, amount, validAfter } = terms;
  const domain = { name: 'Permit2', chainId: system.chainId, verifyingContract: permit2Address };
  const permit = {
    permitted: { token, amount },
    spender: isUpto ? uptoProxyAddress : exactProxyAddress,
    nonce: BigInt(terms.nonce),
    deadline: terms.validBefore,
  };
  const primaryType = 'PermitWitnessTransferFrom';
  const { payer } = system.accounts;
  if (!isUpto) {
    const message = { ...permit, witness: { to: desk, validAfter } };
    return payer.signTypedData({ domain, types: permit2WitnessTypes, primaryType, message });
  }
  const message = { ...permit, witness: { to: desk, facilitator: desk, validAfter } };
  return payer.signTypedData({ domain, types: uptoPermit2WitnessTypes, primaryType, message });
}
