import { agptAbi } from '../../protocol/abi/agpt.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';
import { formatTime } from '../format-time.ts';
import { describeNextStep } from './describe-next-step.ts';
import type { ProposalState, ProposalStatus } from './read-proposals.ts';

/** What moves a proposal on. */
export type ProposalStep = 'vote' | 'queue' | 'execute';

const neededState: Readonly<Record<ProposalStep, ProposalState>> = {
  vote: 'active',
  queue: 'succeeded',
  execute: 'queued',
};

/**
 * Requires that a step can be taken now, so that whoever cannot learns what comes first instead of a revert.
 * @throws AutoPayError `transaction_failed` if the proposal is not that far, or the account has no vote on it.
 */
export async function requireStep(
  deployment: OpenDeployment,
  options: { proposal: ProposalStatus; step: ProposalStep; account: Hex },
): Promise<void> {
  const { proposal, step, account } = options;
  const now = await deployment.now();
  if (proposal.state !== neededState[step] || (step === 'execute' && proposal.executableAt > now)) {
    throw new AutoPayError(
      'transaction_failed',
      `The proposal is ${proposal.state}, so it is not the time to ${step}. Next: ${describeNextStep(proposal, now)}.`,
    );
  }
  if (step === 'vote') await requireVotes(deployment, { proposal, account });
}

async function requireVotes(
  { reader, contracts }: OpenDeployment,
  { proposal, account }: { proposal: ProposalStatus; account: Hex },
): Promise<void> {
  const agpt = { address: contracts.agpt, abi: agptAbi, functionName: 'getPastVotes', blockTag: 'pending' } as const;
  if ((await reader.readContract({ ...agpt, args: [account, BigInt(proposal.voteStart)] })) > 0n) return;
  throw new AutoPayError(
    'transaction_failed',
    `${account} had no votes at ${formatTime(proposal.voteStart)}, when this vote began. ` +
      'AGPT votes once it is delegated: autopay gov delegate, before the next proposal.',
  );
}
