import { formatTime } from '../format-time.ts';
import type { ProposalStatus } from './read-proposals.ts';

/** Digits of an id that commands print where they take a prefix of it. */
const shownDigits = 10;

/** The beginning of a proposal's id, which commands accept instead of all of it. */
export function shortId(id: bigint): string {
  return String(id).slice(0, shownDigits);
}

/**
 * Who may do what next with a proposal.
 * @param now unix seconds, by the chain.
 */
export function describeNextStep(proposal: ProposalStatus, now: number): string {
  const id = shortId(proposal.id);
  switch (proposal.state) {
    case 'pending':
      return `voting begins at ${formatTime(proposal.voteStart)}; votes count as they are delegated then`;
    case 'active':
      return `until ${formatTime(proposal.voteEnd)}, whoever had votes at ${formatTime(proposal.voteStart)}: autopay gov vote ${id} for`;
    case 'succeeded':
      return `anyone: autopay gov queue ${id}`;
    case 'queued': {
      const { executableAt } = proposal;
      const when = executableAt > now ? ` from ${formatTime(executableAt)}` : '';
      return `anyone${when}: autopay gov execute ${id}`;
    }
    case 'defeated':
      return 'nothing: too few votes in favour, or no quorum';
    case 'canceled':
      return 'nothing: it was cancelled';
    case 'expired':
      return 'nothing: it was not executed in time';
    case 'executed':
      return 'nothing: it is done';
  }
}
