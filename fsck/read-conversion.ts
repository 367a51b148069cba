import { fiatTokenAbi } from '../protocol/abi/fiat-token.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import type { AuditChain } from './audit-chain.ts';
import { createRoundReader } from './check-prices.ts';
import type { ReadRound } from './price-judge.ts';

/** Reads rounds of the oracle; what decimals a token has is asked of the token, once. */
export function createConversionReader({ client, deployment }: Pick<AuditChain, 'client' | 'deployment'>): ReadRound {
  const decimals = new Map<Hex, number>();
  return async (charge) => {
    const { token } = charge;
    const known =
      decimals.get(token) ??
      (await client.readContract({ address: token, abi: fiatTokenAbi, functionName: 'decimals' }));
    decimals.set(token, known);
    const tokens = [{ address: token, decimals: known }];
    return createRoundReader(client, { contracts: deployment.contracts, tokens })(charge);
  };
}
