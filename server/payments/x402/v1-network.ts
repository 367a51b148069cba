import { EVM_NETWORK_CHAIN_ID_MAP } from '@x402/evm/v1';

/** The chain's name in x402 v1, which has one for some chains only; for the others its CAIP-2 name, as in v2. */
export function v1NetworkOf(chainId: number): string {
  const known = Object.entries(EVM_NETWORK_CHAIN_ID_MAP).find(([, id]) => id === chainId);
  return known?.[0] ?? `eip155:${chainId}`;
}
