import { agptUnit } from '../../client/chain/open-deployment.ts';
import type { ProposalDraft } from '../../client/governance/build-proposal.ts';
import { formatTime } from '../../client/format-time.ts';
import { formatEffect } from '../../client/governance/preview-effects.ts';
import {
  findProposal,
  readProposals,
  readProposalStatus,
  type ProposalState,
  type ProposalStatus,
} from '../../client/governance/read-proposals.ts';
import { readTiming } from '../../client/governance/read-timing.ts';
import { reviewCalls } from '../../client/governance/review-calls.ts';
import { sendProposal, sendProposalStep, sendVote } from '../../client/governance/send-proposal.ts';
import { formatShort } from '../../client/token-amount.ts';
import { advanceTime } from './move-time.ts';
import type { Voter } from './open-voter.ts';
import type { Demo } from './run-demo.ts';

/** Proposes, votes, queues and executes, moving the chain's time in between, and prints each state. */
export async function passProposal(
  { say, step }: Pick<Demo, 'say' | 'step'>,
  { deployment, sender, rpcUrl }: Voter,
  draft: ProposalDraft,
): Promise<void> {
  const timing = await readTiming(deployment);
  const read = async (id: bigint, expected: ProposalState): Promise<ProposalStatus> => {
    const status = await readProposalStatus(deployment, findProposal(await readProposals(deployment), String(id)));
    if (status.state !== expected) throw new Error(`the proposal is ${status.state}, not ${expected}`);
    say(`   state ${status.state} at ${formatTime(await deployment.now())} of the chain`);
    return status;
  };

  const id = await step(`propose: ${draft.title}`, async () => {
    for (const { text, effect, failure } of await reviewCalls(deployment, draft.calls)) {
      say(`   call      ${text}`);
      if (effect) say(`   effect    ${formatEffect(effect)}`);
      if (failure !== null) throw new Error(`the call would fail: ${failure}`);
      say('   simulated from the timelock: succeeds');
    }
    const sent = await sendProposal(deployment, sender, draft);
    say(`   proposal  ${sent.id}`);
    say(`   transaction ${sent.transactionHash}`);
    return sent.id;
  });
  await step('vote for it', async () => {
    await advanceTime(rpcUrl, timing.votingDelay + 1);
    const { transactionHash } = await sendVote(deployment, sender, {
      proposal: await read(id, 'active'),
      choice: 'for',
    });
    const { votes, quorum } = await read(id, 'active');
    say(`   ${formatShort(votes.for, agptUnit)} for; quorum ${formatShort(quorum, agptUnit)}`);
    say(`   transaction ${transactionHash}`);
  });
  for (const [functionName, waitSeconds, before, after] of [
    ['queue', timing.votingPeriod + 1, 'succeeded', 'queued'],
    ['execute', timing.timelockDelay + 1, 'queued', 'executed'],
  ] as const) {
    await step(`${functionName} it`, async () => {
      await advanceTime(rpcUrl, waitSeconds);
      const proposal = await read(id, before);
      const { transactionHash } = await sendProposalStep(deployment, sender, { proposal, functionName });
      await read(id, after);
      say(`   transaction ${transactionHash}`);
    });
  }
}
