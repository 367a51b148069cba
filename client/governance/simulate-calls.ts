import { BaseError } from 'viem';
import { explainRevert } from '../chain/explain-revert.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';
import { asChainError } from '../chain/send-transaction.ts';
import type { TokenUnit } from '../token-amount.ts';
import type { GovernanceCall } from './governance-call.ts';

/** What a call would do if the timelock made it now. */
export interface Simulation {
  ok: boolean;
  /** Why it would fail, with the contract's own error; null if it would not. */
  reason: string | null;
}

/**
 * Makes each call as the timelock would, by `eth_call`: nothing is signed or changed. Calls do not see each other's effects.
 * @param unitOf the token of the amounts in a call's errors, if there is one; asked only for a call that would fail.
 * @throws AutoPayError `chain_unavailable`.
 */
export async function simulateCalls(
  deployment: OpenDeployment,
  calls: readonly GovernanceCall[],
  unitOf: (call: GovernanceCall) => Promise<TokenUnit | undefined>,
): Promise<Simulation[]> {
  const account = deployment.contracts.timelock;
  const results: Simulation[] = [];
  for (const call of calls) {
    const { target, value, calldata } = call;
    try {
      await deployment.reader.call({ account, to: target, data: calldata, value, blockTag: 'pending' });
      results.push({ ok: true, reason: null });
    } catch (error) {
      const known = asChainError(error, 'The call');
      if (!(error instanceof BaseError) || isUnavailable(known)) throw known;
      results.push({ ok: false, reason: explainRevert(error, await unitOf(call)) });
    }
  }
  return results;
}

function isUnavailable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'chain_unavailable';
}
