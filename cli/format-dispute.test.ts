import { describe, expect, it } from 'vitest';
import type { DisputeStatus } from '../client/disputes/read-disputes.ts';
import { fakeDeployment } from '../client/testing/fake-deployment.ts';
import { formatDispute } from './format-dispute.ts';

const deployment = fakeDeployment();
const claimant = `0x${'c1'.repeat(20)}` as const;

function textOf(changes: Partial<DisputeStatus>): string {
  const parties = {
    claimant,
    payer: claimant,
    token: `0x${'dc'.repeat(20)}`,
    channelId: `0x${'01'.repeat(32)}`,
  } as const;
  const claim = { amount: 2_500_000n, penalty: 1_250_000n, bond: 1_000_000n, frozen: 0n };
  const moved = { refunded: 0n, burned: 0n, outstanding: 0n, penaltyOutstanding: 0n, bondReturn: null };
  return formatDispute(deployment, {
    ...{ id: 7n, kind: 'not-in-log', state: 'open', openedAt: 0, decidedBy: 0, sequence: 1n },
    ...parties,
    ...claim,
    ...moved,
    ...changes,
  });
}

describe('a dispute, for people', () => {
  it('that is upheld says what was refunded and burned', () => {
    const bondReturn = { to: claimant, isPaid: true };
    const text = textOf({ state: 'upheld', refunded: 2_500_000n, burned: 1_250_000n, bondReturn });
    expect(text).toMatch(/^state +upheld: the claim holds, and the relay's bond pays$/m);
    expect(text).toMatch(/^refunded +2\.5 USDC to the payer$/m);
    expect(text).toMatch(/^penalty +1\.25 USDC burned$/m);
    expect(text).toMatch(/^claimant's bond +1 USDC went to the claimant 0xc1/m);
    expect(text).not.toMatch(/outstanding|next|held of/);
  });

  it('that is upheld in part, or cannot be paid yet, says what is still due', () => {
    const text = textOf({ state: 'upheld', refunded: 500_000n, outstanding: 2_000_000n, penaltyOutstanding: 1n });
    expect(text).toMatch(/^refunded +0\.5 USDC to the payer$/m);
    expect(text).toMatch(/^penalty +none burned$/m);
    expect(text).toMatch(/^outstanding +2 USDC to the payer, 0\.000001 USDC to be burned: autopay dispute pay 7$/m);
  });

  it('that was ruled on does not claim that all of it holds', () => {
    const text = textOf({ kind: 'metering', state: 'upheld', penalty: 0n, refunded: 500_000n });
    expect(text).toMatch(/^state +upheld: the governance granted a refund from the relay's bond$/m);
    expect(text).toMatch(
      /^claimed +2\.5 USDC, and no penalty\nrefunded +0\.5 USDC to the payer\npenalty +none burned$/m,
    );
  });

  it('that was answered says where the bond went, or waits', () => {
    const bondReturn = { to: deployment.contracts.autoPayLLM, isPaid: true };
    const text = textOf({ state: 'answered', bondReturn });
    expect(text).toMatch(/^state +answered: the relay showed the anchored receipt, so nothing is refunded$/m);
    expect(text).toMatch(/^claimant's bond +1 USDC went to the relay's bond$/m);
    expect(text).not.toContain('refunded  ');
    const waiting = textOf({ state: 'expired', bondReturn: { to: claimant, isPaid: false } });
    expect(waiting).toContain('is owed to the claimant');
  });

  it('that is open says who may do what next', () => {
    expect(textOf({ frozen: 3n, decidedBy: 60 })).toMatch(
      /^next +the relay answers until 1970-01-01T00:01:00Z; then anyone: autopay dispute uphold 7$/m,
    );
    const metering = textOf({ kind: 'metering', penalty: 0n });
    expect(metering).toMatch(/^claimed +2\.5 USDC, and no penalty$/m);
    expect(metering).toContain('autopay gov propose rule-dispute 7 <refund>');
    expect(textOf({ bond: 0n })).toMatch(/^claimant's bond +none was needed$/m);
  });
});
