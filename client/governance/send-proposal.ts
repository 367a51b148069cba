import { setTimeout as sleep } from 'node:timers/promises';
import { encodeFunctionData, keccak256, parseEventLogs, stringToHex, type TransactionReceipt } from 'viem';
import { agptAbi } from '../../protocol/abi/agpt.ts';
import { autoPayGovernorAbi } from '../../protocol/abi/auto-pay-governor.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { agptUnit, type OpenDeployment } from '../chain/open-deployment.ts';
import type { Sender } from '../chain/send-transaction.ts';
import { formatShort } from '../token-amount.ts';
import { formatTime } from '../format-time.ts';
import type { ProposalDraft } from './build-proposal.ts';
import type { Proposal } from './read-proposals.ts';

/** IGovernor's vote types (GovernorCountingSimple), in their order. */
export const voteChoices = ['against', 'for', 'abstain'] as const;
export type VoteChoice = (typeof voteChoices)[number];

/**
 * What is signed as a proposal's description. The time makes it differ from the same proposal at another time, and the
 * suffix keeps others from proposing it first (OpenZeppelin Governor, `_isValidDescriptionForProposer`).
 */
export function describeProposal(options: { title: string; now: number; proposer: Hex }): string {
  return `${options.title}\n\nProposed ${formatTime(options.now)}\n#proposer=${options.proposer}`;
}

/**
 * Makes a proposal.
 * @throws AutoPayError `transaction_failed` if the account has too few delegated votes, or the governor refuses.
 */
export async function sendProposal(
  deployment: OpenDeployment,
  sender: Sender,
  draft: ProposalDraft,
): Promise<{ id: bigint; voteStart: number; voteEnd: number; transactionHash: Hex }> {
  await requireThreshold(deployment, sender.address);
  const { calls, title } = draft;
  const description = describeProposal({ title, now: await deployment.now(), proposer: sender.address });
  const data = encodeFunctionData({
    abi: autoPayGovernorAbi,
    functionName: 'propose',
    args: [...splitCalls(calls), description],
  });
  const receipt = await sender.send('The proposal', { to: deployment.contracts.governor, data });
  const [created] = parseEventLogs({ abi: autoPayGovernorAbi, eventName: 'ProposalCreated', logs: receipt.logs });
  if (!created) throw new AutoPayError('transaction_failed', 'The governor made no proposal. Is its address right?');
  const { proposalId, voteStart, voteEnd } = created.args;
  const { transactionHash } = receipt;
  return { id: proposalId, voteStart: Number(voteStart), voteEnd: Number(voteEnd), transactionHash };
}

/** Votes with everything that was delegated to the account when the vote began. */
export function sendVote(
  { contracts }: OpenDeployment,
  sender: Sender,
  vote: { proposal: Proposal; choice: VoteChoice },
): Promise<TransactionReceipt> {
  const args = [vote.proposal.id, voteChoices.indexOf(vote.choice)] as const;
  const data = encodeFunctionData({ abi: autoPayGovernorAbi, functionName: 'castVote', args });
  return sender.send('The vote', { to: contracts.governor, data });
}

/** Puts a proposal that succeeded into the timelock, or executes it there. Anybody may. */
export function sendProposalStep(
  { contracts }: OpenDeployment,
  sender: Sender,
  step: { proposal: Proposal; functionName: 'queue' | 'execute' },
): Promise<TransactionReceipt> {
  const { proposal, functionName } = step;
  const args = [...splitCalls(proposal.calls), keccak256(stringToHex(proposal.description))] as const;
  const data = encodeFunctionData({ abi: autoPayGovernorAbi, functionName, args });
  return sender.send(functionName === 'queue' ? 'Queueing' : 'The execution', { to: contracts.governor, data });
}

/** Delegates the votes of an account's AGPT, which count only then. */
export function sendDelegation({ contracts }: OpenDeployment, sender: Sender, to: Hex): Promise<TransactionReceipt> {
  const data = encodeFunctionData({ abi: agptAbi, functionName: 'delegate', args: [to] });
  return sender.send('The delegation', { to: contracts.agpt, data });
}

/** What an account holds and may vote with, AGPT wei. */
export async function readVotingPower(
  { reader, contracts }: OpenDeployment,
  account: Hex,
): Promise<{ balance: bigint; votes: bigint; delegate: Hex }> {
  const agpt = { address: contracts.agpt, abi: agptAbi, args: [account] } as const;
  const [balance, votes, delegate] = await Promise.all([
    reader.readContract({ ...agpt, functionName: 'balanceOf' }),
    reader.readContract({ ...agpt, functionName: 'getVotes' }),
    reader.readContract({ ...agpt, functionName: 'delegates' }),
  ]);
  return { balance, votes, delegate };
}

const maxWaits = 40;
const waitMs = 250;

/**
 * Requires enough votes, in words that name the remedy. The governor counts those of the second before: what was delegated
 * just now is waited for.
 */
async function requireThreshold(deployment: OpenDeployment, account: Hex): Promise<void> {
  const { reader, contracts } = deployment;
  const governor = { address: contracts.governor, abi: autoPayGovernorAbi } as const;
  const threshold = await reader.readContract({ ...governor, functionName: 'proposalThreshold' });
  const { votes } = await readVotingPower(deployment, account);
  for (let waits = 0; votes >= threshold && waits < maxWaits; waits += 1) {
    const args = [account, BigInt((await deployment.now()) - 1)] as const;
    const agpt = { address: contracts.agpt, abi: agptAbi, blockTag: 'pending' } as const;
    if ((await reader.readContract({ ...agpt, functionName: 'getPastVotes', args })) >= threshold) return;
    await sleep(waitMs);
  }
  throw new AutoPayError(
    'transaction_failed',
    `${account} has ${formatShort(votes, agptUnit)} of votes; a proposal needs ${formatShort(threshold, agptUnit)}. ` +
      'Delegate first: autopay gov delegate.',
  );
}

function splitCalls(calls: Proposal['calls']): [Hex[], bigint[], Hex[]] {
  return [calls.map(({ target }) => target), calls.map(({ value }) => value), calls.map(({ calldata }) => calldata)];
}
