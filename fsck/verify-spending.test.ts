import { describe, expect, it } from 'vitest';
import type { Hex } from '../protocol/bytes/hex.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { idOfName, type AuditChain, type BookedPart } from './audit-chain.ts';
import { makeReceipt, syntheticStartMs } from './testing/synthetic-log.ts';
import { ClaimList } from './verification.ts';
import { dayOf, verifySpending } from './verify-spending.ts';

const channelId: Hex = `0x${'01'.repeat(32)}`;
const paid = makeReceipt({
  payer: `0x${'aa'.repeat(20)}`,
  token: `0x${'cc'.repeat(20)}`,
  channelId,
  sequence: 2,
  runningTotal: 30n,
  amount: 20n,
});
const day = dayOf(syntheticStartMs);
const part = (changes: Partial<BookedPart> = {}): BookedPart => ({
  ...{
    batchId: 3n,
    logSize: 10,
    day,
    model: idOfName('sim-small'),
    provider: idOfName('simulated'),
    amount: 30n,
    withinBudget: true,
  },
  ...changes,
});

interface Answers {
  spent?: bigint;
  booked?: BookedPart[];
  released?: boolean;
  overBudgetReleased?: boolean;
  refund?: bigint;
}

async function verify(
  answers: Answers,
  receipt: CallReceipt = paid,
  settled: bigint | undefined = 30n,
): Promise<string[]> {
  const { spent = 1n, booked = [], released = false, overBudgetReleased = false, refund } = answers;
  const chain = {
    readBudget: () => Promise.resolve({ spent, limit: 5n }),
    listBooked: () => Promise.resolve(booked),
    readBatch: () => Promise.resolve({ released, overBudgetReleased }),
    findRefund: () => Promise.resolve(refund),
  } as unknown as AuditChain;
  const claims = new ClaimList();
  await verifySpending(claims, { chain, receipt, index: 4, settled });
  return claims.all.map(({ name, ok, detail }) => `${name} ${ok}: ${detail}`);
}

describe('what became of a call’s money', () => {
  it('is within the model’s budget of the call’s day', async () => {
    expect((await verify({ spent: 5n }))[0]).toBe(
      `budget_kept true: ModelBudgets has counted 5 AGPT wei for sim-small on UTC day ${day}, and its limit of that day is 5`,
    );
    expect((await verify({ spent: 6n }))[0]).toMatch(/^budget_kept false/);
    expect(await verify({}, makeReceipt())).toEqual(['budget_kept true: nothing was charged']);
  });

  it('is booked for what it was for, at the earliest in the oldest booking that covers it', async () => {
    const booked = [
      part({ batchId: 9n }),
      part(),
      part({ batchId: 2n, model: idOfName('other') }),
      part({ batchId: 1n, day: day - 1 }),
    ];
    expect((await verify({ booked }))[1]).toMatch(
      /^booked true: 30 of sim-small at simulated on UTC day \d+ is booked in batch 3, .* waiting for its dispute window$/,
    );
    expect((await verify({ booked, released: true }))[1]).toMatch(/within budget, released$/);
  });

  it('is not in a booking of less than was charged', async () => {
    const small = part({ batchId: 2n, amount: 19n });
    expect((await verify({ booked: [small] }))[1]).toBe('booked null: not checked: no booking covers the call yet');
    expect((await verify({ booked: [part(), small] }))[1]).toMatch(/^booked true: .* batch 3,/);
  });

  it('is shown as withheld over budget', async () => {
    const booked = [part({ withinBudget: false })];
    expect((await verify({ booked }))[1]).toMatch(/over budget: withheld until a vote releases it$/);
    expect((await verify({ booked, overBudgetReleased: true }))[1]).toMatch(/over budget: released by vote$/);
  });

  it('is not booked before it is collected, and says so', async () => {
    expect((await verify({ booked: [part()] }, paid, 29n))[1]).toBe(
      'booked null: not checked: the call is not collected yet: its channel has paid 29 of 30',
    );
    expect((await verify({}))[1]).toBe('booked null: not checked: no booking covers the call yet');
  });

  it('goes back as far as a fixed price was too much', async () => {
    const { channelId: _channel, sequence: _sequence, runningTotal: _total, ...direct } = paid;
    const owed = makeReceipt({ ...direct, refundOwed: 7n });
    expect((await verify({ booked: [part()], refund: 7n }, owed, undefined))[1]).toMatch(/^booked true/);
    expect((await verify({ booked: [part()], refund: 6n }, owed, undefined))[1]).toMatch(
      /^booked false: 6 went back to 0xaa/,
    );
    expect((await verify({ booked: [part()] }, owed, undefined))[1]).toMatch(/^booked null: .*did not come yet/);
  });
});
