import { asChainError } from '../chain/send-transaction.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';
import { decodeCall, describeCall, unitOfCall, type ReadableCall } from './describe-call.ts';
import type { GovernanceCall } from './governance-call.ts';
import { previewEffect, type Effect } from './preview-effects.ts';
import { readCallWords } from './read-call-words.ts';
import { earliestExecution, readTiming } from './read-timing.ts';
import type { ProposalState, ProposalStatus } from './read-proposals.ts';
import { simulateCalls } from './simulate-calls.ts';

/** What somebody who is about to sign should see of a call. */
export interface ReviewedCall extends ReadableCall {
  /** What it would change; null where there is no preview for such calls. */
  effect: Effect | null;
  /** Whether it was simulated: not where the proposal is over. */
  isSimulated: boolean;
  /** Why it would fail if it were made now; null if it would not. */
  failure: string | null;
}

/** In these nothing will be executed any more, so there is nothing to preview. */
const overStates: ReadonlySet<ProposalState> = new Set(['canceled', 'defeated', 'expired', 'executed']);

/**
 * Puts calls into words, compares what they set with what the chain has, and simulates them from the timelock.
 * @param proposal whose calls these are; without it, of a proposal that is made now.
 * @throws AutoPayError `chain_unavailable`, `transaction_failed`.
 */
export async function reviewCalls(
  deployment: OpenDeployment,
  calls: readonly GovernanceCall[],
  proposal?: ProposalStatus,
): Promise<ReviewedCall[]> {
  const isOver = proposal !== undefined && overStates.has(proposal.state);
  try {
    const [words, timing, now] = await Promise.all([
      readCallWords(deployment, namesIn(deployment, calls)),
      readTiming(deployment),
      deployment.now(),
    ]);
    const executableAt = earliestExecution({ now, timing }, proposal);
    const simulations = isOver
      ? []
      : await simulateCalls(deployment, calls, (call) => unitOfCall(deployment, call, words));
    const reviewed: ReviewedCall[] = [];
    for (const [i, call] of calls.entries()) {
      const readable = await describeCall(deployment, call, words);
      const effect = isOver ? null : ((await previewEffect({ deployment, words, executableAt }, call)) ?? null);
      reviewed.push({ ...readable, effect, isSimulated: !isOver, failure: simulations[i]?.reason ?? null });
    }
    return reviewed;
  } catch (error) {
    throw asChainError(error, 'Reading the chain');
  }
}

/** Names that the calls themselves would publish. */
function namesIn(deployment: OpenDeployment, calls: readonly GovernanceCall[]): string[] {
  return calls.flatMap((call) => {
    const decoded = decodeCall(deployment, call);
    const [name] = decoded?.args ?? [];
    return decoded?.functionName === 'registerName' && typeof name === 'string' ? [name] : [];
  });
}
