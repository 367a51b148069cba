import { describe, expect, it } from 'vitest';
import { fakeDeployment, fakeNow } from '../testing/fake-deployment.ts';
import { describeNextStep } from './describe-next-step.ts';
import {
  findProposal,
  proposalStates,
  readProposalStatus,
  type Proposal,
  type ProposalStatus,
} from './read-proposals.ts';
import { earliestExecution } from './read-timing.ts';
import { requireStep } from './require-step.ts';
import { describeProposal, sendProposal } from './send-proposal.ts';
import { proposeModelBudget } from './build-proposal.ts';

const account = `0x${'ac'.repeat(20)}` as const;
const proposal = (id: bigint): Proposal => ({
  id,
  proposer: account,
  calls: [],
  description: 'Title\n\nProposed',
  title: 'Title',
  voteStart: fakeNow - 60,
  transactionHash: '0x',
});
const status = (changes: Partial<ProposalStatus>): ProposalStatus => ({
  ...proposal(123_456_789_012n),
  state: 'active',
  voteEnd: fakeNow + 60,
  votes: { for: 0n, against: 0n, abstain: 0n },
  quorum: 1n,
  executableAt: 0,
  ...changes,
});

describe('a proposal', () => {
  const all = [proposal(111n), proposal(112n), proposal(2n)];

  it('is found by its id, by the beginning of its id, and as the last one', () => {
    expect(findProposal(all, '112').id).toBe(112n);
    expect(findProposal(all, '2').id).toBe(2n);
    expect(findProposal(all, 'last').id).toBe(2n);
  });

  it.each([
    [all, '11', '2 proposals'],
    [all, '9', "No proposal's id begins with 9"],
    [all, '', "No proposal's id begins"],
    [[], 'last', 'no proposal yet'],
  ])('is not guessed (%#)', (proposals, reference, message) => {
    expect(() => findProposal(proposals, reference)).toThrow(message);
  });

  it('is described by title, time and proposer, so that it is unique and cannot be proposed by another', () => {
    expect(describeProposal({ title: 'Set it', now: fakeNow, proposer: account })).toBe(
      `Set it\n\nProposed 2026-11-21T12:00:00Z\n#proposer=${account}`,
    );
  });

  it('has the state, votes and times of the governor', async () => {
    const deployment = fakeDeployment({
      state: 5,
      proposalDeadline: BigInt(fakeNow - 10),
      proposalVotes: [1n, 2n, 3n],
      proposalEta: BigInt(fakeNow + 99),
      clock: fakeNow,
      quorum: (timepoint: bigint) => timepoint,
    });
    expect(await readProposalStatus(deployment, proposal(1n))).toMatchObject({
      state: 'queued',
      voteEnd: fakeNow - 10,
      votes: { against: 1n, for: 2n, abstain: 3n },
      executableAt: fakeNow + 99,
      quorum: BigInt(fakeNow - 60),
    });
    // Before the vote: a past timepoint, because no other can be asked for.
    const early = { ...proposal(1n), voteStart: fakeNow };
    expect((await readProposalStatus(deployment, early)).quorum).toBe(BigInt(fakeNow - 1));
  });
});

describe('the next step', () => {
  it.each([
    ['pending', 'voting begins at 2026-11-21T11:59:00Z'],
    [
      'active',
      'until 2026-11-21T12:01:00Z, whoever had votes at 2026-11-21T11:59:00Z: autopay gov vote 1234567890 for',
    ],
    ['succeeded', 'anyone: autopay gov queue 1234567890'],
    ['queued', 'anyone: autopay gov execute 1234567890'],
    ['defeated', 'nothing: too few votes'],
    ['canceled', 'nothing: it was cancelled'],
    ['expired', 'nothing: it was not executed in time'],
    ['executed', 'nothing: it is done'],
  ] as const)('of a proposal that is %s', (state, text) => {
    expect(describeNextStep(status({ state }), fakeNow)).toContain(text);
  });

  it('names every state of the governor', () => {
    for (const state of proposalStates) expect(describeNextStep(status({ state }), fakeNow)).not.toBe('');
  });

  it('waits for the timelock', () => {
    expect(describeNextStep(status({ state: 'queued', executableAt: fakeNow + 60 }), fakeNow)).toContain(
      'anyone from 2026-11-21T12:01:00Z',
    );
  });

  it('cannot be taken before its time', async () => {
    const deployment = fakeDeployment({ getPastVotes: 1n });
    const take = (step: 'vote' | 'queue' | 'execute', changes: Partial<ProposalStatus>) =>
      requireStep(deployment, { proposal: status(changes), step, account });
    await take('vote', { state: 'active' });
    await take('queue', { state: 'succeeded' });
    await take('execute', { state: 'queued', executableAt: fakeNow });
    const refusal = { code: 'transaction_failed' };
    await expect(take('vote', { state: 'pending' })).rejects.toMatchObject(refusal);
    await expect(take('queue', { state: 'active' })).rejects.toMatchObject(refusal);
    await expect(take('execute', { state: 'queued', executableAt: fakeNow + 1 })).rejects.toMatchObject(refusal);
  });

  it('is no vote without delegated AGPT', async () => {
    const voting = requireStep(fakeDeployment({ getPastVotes: 0n }), { proposal: status({}), step: 'vote', account });
    await expect(voting).rejects.toThrow('had no votes at 2026-11-21T11:59:00Z');
  });

  it('is no proposal below the threshold', async () => {
    const deployment = fakeDeployment({ proposalThreshold: 2n, balanceOf: 9n, getVotes: 1n, delegates: account });
    const sender = { address: account, send: () => Promise.reject(new Error('signed')) };
    const proposing = sendProposal(deployment, sender, proposeModelBudget(deployment, 'x', '1'));
    await expect(proposing).rejects.toThrow('Delegate first: autopay gov delegate.');
  });

  it('waits for votes that were delegated just now, which count from the next second', async () => {
    let asked = 0;
    const getPastVotes = () => BigInt((asked += 1) < 3 ? 0 : 2);
    const power = { proposalThreshold: 2n, balanceOf: 9n, getVotes: 2n, delegates: account };
    const deployment = fakeDeployment({ ...power, getPastVotes });
    const sender = { address: account, send: () => Promise.reject(new Error('signed')) };
    const proposing = sendProposal(deployment, sender, proposeModelBudget(deployment, 'x', '1'));
    await expect(proposing).rejects.toThrow('signed');
    expect(asked).toBe(3);
  });
});

it('the earliest execution counts what is still to come', () => {
  const timing = { votingDelay: 1, votingPeriod: 10, timelockDelay: 100 };
  const at = { now: 1_000, timing };
  expect(earliestExecution(at)).toBe(1_111);
  expect(earliestExecution(at, { state: 'active', voteEnd: 1_005, executableAt: 0 })).toBe(1_105);
  expect(earliestExecution(at, { state: 'succeeded', voteEnd: 900, executableAt: 0 })).toBe(1_100);
  expect(earliestExecution(at, { state: 'queued', voteEnd: 900, executableAt: 1_050 })).toBe(1_050);
  expect(earliestExecution(at, { state: 'queued', voteEnd: 900, executableAt: 950 })).toBe(1_000);
});
