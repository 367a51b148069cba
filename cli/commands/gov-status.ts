import { agptUnit, type OpenDeployment } from '../../client/chain/open-deployment.ts';
import { escapeLine } from '../../protocol/text/escape-text.ts';
import { formatTime } from '../../client/format-time.ts';
import { describeNextStep, shortId } from '../../client/governance/describe-next-step.ts';
import {
  findProposal,
  readProposals,
  readProposalStatus,
  type ProposalStatus,
} from '../../client/governance/read-proposals.ts';
import { reviewCalls, type ReviewedCall } from '../../client/governance/review-calls.ts';
import { formatShort } from '../../client/token-amount.ts';
import type { CommandContext } from '../command-context.ts';
import { formatReview } from '../format-review.ts';
import { openCommandDeployment, type ChainOptions } from '../open-command-deployment.ts';
import { formatTable } from '../output.ts';

/** Most proposals that are listed, the newest; older ones are asked for by id. */
const maxListed = 50;

/** Shows all proposals, or one in full, with who may do what next. Needs no key. */
export async function runGovStatus(
  context: CommandContext,
  options: ChainOptions & { proposal?: string },
): Promise<void> {
  const deployment = await openCommandDeployment(context, options);
  const proposals = await readProposals(deployment);
  const now = await deployment.now();
  if (options.proposal !== undefined) {
    const status = await readProposalStatus(deployment, findProposal(proposals, options.proposal));
    const calls = await reviewCalls(deployment, status.calls, status);
    context.print({
      json: { proposal: { ...describe(status, now), calls } },
      text: formatProposal(status, { calls, now }),
    });
    return;
  }
  const listed = await readAll(deployment, proposals.slice(-maxListed));
  context.print({
    json: { proposals: listed.map((status) => describe(status, now)), now },
    text:
      listed.length === 0
        ? 'No proposal yet. Make one with autopay gov propose.\n'
        : listed.map((status) => formatListed(status, now)).join('\n'),
  });
}

/** One after the other: public endpoints limit how many calls they take at once. */
async function readAll(
  deployment: OpenDeployment,
  proposals: Awaited<ReturnType<typeof readProposals>>,
): Promise<ProposalStatus[]> {
  const statuses: ProposalStatus[] = [];
  for (const proposal of proposals) statuses.push(await readProposalStatus(deployment, proposal));
  return statuses;
}

function describe(status: ProposalStatus, now: number): object {
  const { id, title, description, proposer, state, votes, quorum, voteStart, voteEnd, executableAt } = status;
  return {
    ...{ proposalId: id, title, description, proposer, state, votes, quorum, voteStart, voteEnd, executableAt },
    transactionHash: status.transactionHash,
    next: describeNextStep(status, now),
  };
}

function formatVotes({ votes, quorum }: ProposalStatus): string {
  const [inFavour, against, abstain, needed] = [votes.for, votes.against, votes.abstain, quorum].map((amount) =>
    formatShort(amount, agptUnit),
  );
  return `${inFavour} for, ${against} against, ${abstain} abstain; quorum ${needed}`;
}

function formatListed(status: ProposalStatus, now: number): string {
  return (
    `${shortId(status.id)}…  ${status.state}: ${escapeLine(status.title)}\n` +
    `  votes  ${formatVotes(status)}\n` +
    `  next   ${describeNextStep(status, now)}\n`
  );
}

function formatProposal(status: ProposalStatus, { calls, now }: { calls: ReviewedCall[]; now: number }): string {
  const { state, executableAt } = status;
  return (
    formatTable([
      ['proposal', String(status.id)],
      ['title', status.title],
      ['state', state],
      ['proposed by', `${status.proposer} in ${status.transactionHash}`],
      ['voting', `${formatTime(status.voteStart)} to ${formatTime(status.voteEnd)}`],
      ['votes', formatVotes(status)],
      ...(executableAt > 0 && state === 'queued' ? [['executable', `from ${formatTime(executableAt)}`]] : []),
      ['next', describeNextStep(status, now)],
    ]) + formatReview(calls)
  );
}
