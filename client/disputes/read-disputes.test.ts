import { describe, expect, it } from 'vitest';
import { zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { fakeDeployment } from '../testing/fake-deployment.ts';
import { readDisputes } from './read-disputes.ts';

const usdc: Hex = `0x${'dc'.repeat(20)}`;

/** What a fake chain answers that has these disputes. */
function disputesOf(...records: { state: number; kind?: number }[]) {
  const parties = { openedAt: 100, claimant: usdc, payer: usdc, token: usdc, channelId: zeroBytes32 };
  const amounts = { sequence: 1n, amount: 1n, penalty: 1n, bond: 1n, frozen: 0n, outstanding: 0n };
  return {
    disputeCount: BigInt(records.length),
    ANSWER_WINDOW: 10n,
    RULING_WINDOW: 1_000n,
    getDispute: (id: bigint) => ({
      kind: 7,
      ...parties,
      ...amounts,
      penaltyOutstanding: 0n,
      ...records[Number(id) - 1],
    }),
  };
}

describe('a dispute', () => {
  it('is listed with who has how long', async () => {
    const deployment = fakeDeployment(disputesOf({ state: 1 }, { state: 1, kind: 8 }));
    const open = { state: 'open', refunded: 0n, burned: 0n, bondReturn: null };
    expect(await readDisputes(deployment)).toMatchObject([
      { id: 1n, kind: 'not-in-log', decidedBy: 110, ...open },
      { id: 2n, kind: 'metering', decidedBy: 1_100, ...open },
    ]);
    expect(await readDisputes(deployment, 2n)).toHaveLength(1);
    await expect(readDisputes(deployment, 3n)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('that has ended is listed with what it moved, from all its events', async () => {
    const deployment = fakeDeployment({
      ...disputesOf({ state: 3 }, { state: 2 }, { state: 5, kind: 8 }),
      DisputeUpheld: [{ args: { disputeId: 1n, refund: 3n, penalty: 2n, outstanding: 9n } }],
      OutstandingPaid: [5n, 4n].map((amount) => ({ args: { disputeId: 1n, amount, penalty: 1n, outstanding: 0n } })),
      BondReturned: [
        { args: { disputeId: 1n, to: usdc, token: usdc, amount: 1n, paid: false } },
        { args: { disputeId: 2n, to: `0x${'A1'.repeat(20)}`, token: usdc, amount: 1n, paid: true } },
      ],
    });
    expect(await readDisputes(deployment)).toMatchObject([
      { state: 'upheld', decidedBy: 0, refunded: 12n, burned: 4n, bondReturn: { to: usdc, isPaid: false } },
      { state: 'answered', refunded: 0n, bondReturn: { to: `0x${'a1'.repeat(20)}`, isPaid: true } },
      { state: 'expired', refunded: 0n, burned: 0n, bondReturn: null },
    ]);
  });
});
