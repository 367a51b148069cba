import { describe, expect, it } from 'vitest';
import { fakeDeployment } from '../testing/fake-deployment.ts';
import { makeReceipt, signReceipts } from '../testing/sign-receipts.ts';
import { expectOutcome } from './expect-outcome.ts';
import { holdReceipt } from './held-receipt.ts';

const [held] = signReceipts([makeReceipt({ amount: 1_000n, runningTotal: 5_000n })]).flatMap(
  (one) => holdReceipt(one) ?? [],
);
if (!held) throw new Error('the receipt is none');
const receipt = held.struct;

/** A chain whose channel has paid so much, and got so much back. */
const chainOf = (settled: bigint, refundedOf: bigint, minPenalty: bigint) =>
  fakeDeployment({ termsOf: { claimantBond: 7n, minPenalty }, refundedOf, getChannel: { settled } });

describe('what a dispute is expected to move', () => {
  it('is the refund, half of it as a penalty, and no bond where the chain judges at once', async () => {
    const outcome = await expectOutcome(chainOf(9_000n, 0n, 1n), { kind: 'unpublished-prices', receipt });
    expect(outcome).toMatchObject({ refund: 1_000n, payableNow: 1_000n, penalty: 500n, bond: 0n });
  });

  it('is no more now than the channel has paid and not got back; the penalty has a least', async () => {
    const outcome = await expectOutcome(chainOf(900n, 300n, 600n), { kind: 'not-in-log', receipt });
    expect(outcome).toMatchObject({ refund: 1_000n, payableNow: 600n, penalty: 600n, bond: 7n });
  });

  it('has no penalty where the governance rules', async () => {
    const outcome = await expectOutcome(chainOf(9_000n, 0n, 600n), { kind: 'metering', receipt, amount: 400n });
    expect(outcome).toMatchObject({ refund: 400n, penalty: 0n, bond: 7n });
  });
});
