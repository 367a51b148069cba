import { autoPayGovernorAbi } from '../../protocol/abi/auto-pay-governor.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { OpenDeployment } from '../chain/open-deployment.ts';
import { readEvents } from '../chain/read-events.ts';
import { asChainError } from '../chain/send-transaction.ts';
import type { GovernanceCall } from './governance-call.ts';

/** IGovernor.ProposalState, in its order. */
export const proposalStates = [
  'pending',
  'active',
  'canceled',
  'defeated',
  'succeeded',
  'queued',
  'expired',
  'executed',
] as const;
export type ProposalState = (typeof proposalStates)[number];

/** A proposal as its `ProposalCreated` event has it: all that queueing and executing need. */
export interface Proposal {
  id: bigint;
  proposer: Hex;
  calls: readonly GovernanceCall[];
  /** As signed; its first line is the title. */
  description: string;
  title: string;
  /** Unix seconds; votes count as of then. */
  voteStart: number;
  transactionHash: Hex;
}

/** Where a proposal stands. Votes and quorum are AGPT wei. */
export interface ProposalStatus extends Proposal {
  state: ProposalState;
  /** Unix seconds; a late quorum moves it. */
  voteEnd: number;
  votes: { for: bigint; against: bigint; abstain: bigint };
  /** For and abstaining votes that are needed. */
  quorum: bigint;
  /** Unix seconds from which it can be executed; 0 if it is not queued. */
  executableAt: number;
}

/** All proposals, oldest first. */
export async function readProposals(deployment: OpenDeployment): Promise<Proposal[]> {
  const address = deployment.contracts.governor;
  const events = await readEvents(deployment, { address, abi: autoPayGovernorAbi, eventName: 'ProposalCreated' });
  return events.map(({ args, transactionHash }) => ({
    id: args.proposalId,
    proposer: args.proposer.toLowerCase() as Hex,
    calls: args.targets.map((target, i) => ({
      target: target.toLowerCase() as Hex,
      value: args.values[i] ?? 0n,
      calldata: args.calldatas[i] ?? '0x',
    })),
    description: args.description,
    title: args.description.split('\n')[0] ?? '',
    voteStart: Number(args.voteStart),
    transactionHash,
  }));
}

/**
 * The proposal that a user means: by its id, the beginning of its id if no other begins so, or `last`.
 * @throws AutoPayError `invalid_argument` if there is none, or more than one.
 */
export function findProposal(proposals: readonly Proposal[], reference: string): Proposal {
  const newest = proposals.at(-1);
  if (newest === undefined) {
    throw new AutoPayError('invalid_argument', 'There is no proposal yet. Make one with autopay gov propose.');
  }
  if (reference === 'last') return newest;
  const matching = /^\d+$/.test(reference) ? proposals.filter(({ id }) => String(id).startsWith(reference)) : [];
  const [only, another] = matching;
  if (only !== undefined && another === undefined) return only;
  throw new AutoPayError(
    'invalid_argument',
    matching.length === 0
      ? `No proposal's id begins with ${reference}. See autopay gov status.`
      : `${matching.length} proposals' ids begin with ${reference}. Give more digits, or "last".`,
  );
}

/** Asks the governor where a proposal stands. */
export async function readProposalStatus(deployment: OpenDeployment, proposal: Proposal): Promise<ProposalStatus> {
  const { reader, contracts } = deployment;
  // In the block to come: on a chain that mines only when somebody sends, the last one may be long ago.
  const governor = { address: contracts.governor, abi: autoPayGovernorAbi, blockTag: 'pending' } as const;
  const args = [proposal.id] as const;
  try {
    const [state, voteEnd, [against, inFavour, abstain], eta, now] = await Promise.all([
      reader.readContract({ ...governor, functionName: 'state', args }),
      reader.readContract({ ...governor, functionName: 'proposalDeadline', args }),
      reader.readContract({ ...governor, functionName: 'proposalVotes', args }),
      reader.readContract({ ...governor, functionName: 'proposalEta', args }),
      reader.readContract({ ...governor, functionName: 'clock' }),
    ]);
    // Before the vote begins its quorum is not fixed: then what it would be now.
    const timepoint = proposal.voteStart < now ? proposal.voteStart : now - 1;
    const quorum = await reader.readContract({ ...governor, functionName: 'quorum', args: [BigInt(timepoint)] });
    return {
      ...proposal,
      state: proposalStates[state] ?? 'pending',
      voteEnd: Number(voteEnd),
      votes: { for: inFavour, against, abstain },
      quorum,
      executableAt: Number(eta),
    };
  } catch (error) {
    throw asChainError(error, 'Reading the proposal');
  }
}
