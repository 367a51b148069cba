import { agptUnit } from '../../client/chain/open-deployment.ts';
import { escapeLine } from '../../protocol/text/escape-text.ts';
import { describeNextStep } from '../../client/governance/describe-next-step.ts';
import {
  findProposal,
  readProposals,
  readProposalStatus,
  type ProposalStatus,
} from '../../client/governance/read-proposals.ts';
import { requireStep } from '../../client/governance/require-step.ts';
import { reviewCalls } from '../../client/governance/review-calls.ts';
import {
  readVotingPower,
  sendDelegation,
  sendProposalStep,
  sendVote,
  voteChoices,
  type VoteChoice,
} from '../../client/governance/send-proposal.ts';
import type { OpenDeployment } from '../../client/chain/open-deployment.ts';
import { formatShort } from '../../client/token-amount.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { CommandContext } from '../command-context.ts';
import { confirmSigning } from '../confirm-signing.ts';
import { formatReview } from '../format-review.ts';
import { openCommandDeployment, openCommandSender, type SigningOptions } from '../open-command-deployment.ts';
import { parseAddress } from './gov-propose.ts';

/** Delegates the wallet's votes, to itself unless another address is given; false if the user declined. */
export async function runDelegate(
  context: CommandContext,
  options: SigningOptions & { to?: string },
): Promise<boolean> {
  const deployment = await openCommandDeployment(context, options);
  const sender = await openCommandSender(context, options, deployment);
  const to = options.to === undefined ? sender.address : parseAddress(options.to);
  const { balance, delegate } = await readVotingPower(deployment, sender.address);
  const text = `AGPT.delegate(delegatee: ${to})\n  effect  ${formatShort(balance, agptUnit)} of votes: ${delegate} → ${to}\n`;
  if (!(await confirmSigning(context, { text, account: sender.address, isYes: options.yes === true }))) return false;
  const { transactionHash } = await sendDelegation(deployment, sender, to);
  const { votes } = await readVotingPower(deployment, to);
  context.print({
    json: { delegator: sender.address, delegate: to, balance, votes, transactionHash },
    text: `${to} now has ${formatShort(votes, agptUnit)} of votes (transaction ${transactionHash}).\n`,
  });
  return true;
}

/** Votes on a proposal; false if the user declined. */
export async function runVote(
  context: CommandContext,
  options: SigningOptions & { proposal: string; choice: string },
): Promise<boolean> {
  const choice = voteChoices.find((known) => known === options.choice);
  if (choice === undefined) {
    throw new AutoPayError('invalid_argument', `Vote ${voteChoices.join(', ')}; not ${options.choice}.`);
  }
  const deployment = await openCommandDeployment(context, options);
  const sender = await openCommandSender(context, options, deployment);
  const proposal = await requireProposal(deployment, options.proposal);
  await requireStep(deployment, { proposal, step: 'vote', account: sender.address });
  return signStep(context, options, {
    deployment,
    proposal,
    account: sender.address,
    doing: `Voting ${choice}`,
    send: () => sendVote(deployment, sender, { proposal, choice: choice satisfies VoteChoice }),
  });
}

/** Puts a proposal that succeeded into the timelock, or executes it; false if the user declined. */
export async function runProposalStep(
  context: CommandContext,
  options: SigningOptions & { proposal: string; functionName: 'queue' | 'execute' },
): Promise<boolean> {
  const { functionName } = options;
  const deployment = await openCommandDeployment(context, options);
  const sender = await openCommandSender(context, options, deployment);
  const proposal = await requireProposal(deployment, options.proposal);
  await requireStep(deployment, { proposal, step: functionName, account: sender.address });
  return signStep(context, options, {
    deployment,
    proposal,
    account: sender.address,
    doing: functionName === 'queue' ? 'Queueing' : 'Executing',
    send: () => sendProposalStep(deployment, sender, { proposal, functionName }),
  });
}

interface Step {
  deployment: OpenDeployment;
  proposal: ProposalStatus;
  account: string;
  doing: string;
  send: () => Promise<{ transactionHash: string }>;
}

/** Shows the proposal, asks, sends, and says where the proposal stands then. */
async function signStep(context: CommandContext, options: SigningOptions, step: Step): Promise<boolean> {
  const { deployment, proposal, account } = step;
  const calls = await reviewCalls(deployment, proposal.calls, proposal);
  const text = `${step.doing}: ${escapeLine(proposal.title)}\n${formatReview(calls)}`;
  if (!(await confirmSigning(context, { text, account, isYes: options.yes === true }))) return false;
  const { transactionHash } = await step.send();
  const after = await readProposalStatus(deployment, proposal);
  const next = describeNextStep(after, await deployment.now());
  const { id, title, state, votes, quorum, executableAt } = after;
  context.print({
    json: { proposalId: id, title, state, votes, quorum, executableAt, calls, next, transactionHash },
    text: `Done in transaction ${transactionHash}. The proposal is ${state}; next: ${next}\n`,
  });
  return true;
}

async function requireProposal(deployment: OpenDeployment, reference: string): Promise<ProposalStatus> {
  return readProposalStatus(deployment, findProposal(await readProposals(deployment), reference));
}
