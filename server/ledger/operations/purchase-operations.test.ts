import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex, type Hex } from '../../../protocol/bytes/hex.ts';
import { createCallId } from '../../../protocol/receipt/call-id.ts';
import type { PurchaseChannelKey, PurchaseRequest } from '../purchase-ledger.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

const address = (byte: string): Hex => `0x${byte.repeat(20)}`;
const dayMs = 86_400_000;
const key: PurchaseChannelKey = {
  ...{ provider: 'seller', chainId: 31337, escrow: address('e5') },
  ...{ payer: address('a1'), token: address('c1') },
};
const channelId: Hex = `0x${'0c'.repeat(32)}`;
const anotherId: Hex = `0x${'0d'.repeat(32)}`;

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

function request(changes: Partial<PurchaseRequest> = {}): PurchaseRequest {
  return {
    ...{ callId: createCallId(), attempt: 1, provider: 'seller', method: 'x402', chainId: 31337, maximum: 40n },
    ...{ token: key.token, payer: key.payer, payee: address('b1'), nowMs: 10 * dayMs },
    ...{ maxPerCall: 100n, maxPerDay: 100n },
    authority: { kind: 'authorization', nonce: toHex(randomBytes(32)), validBefore: 2_000 },
    ...changes,
  };
}
const open = (changes: Partial<PurchaseRequest> = {}) => books.run('openPurchase', request(changes));
const buyOn = (maximum: bigint, changes: Partial<PurchaseRequest> = {}) => {
  const outcome = open({
    ...{ method: 'evm/session', maximum, maxPerDay: 10_000n, authority: { kind: 'channel', channelId } },
    ...changes,
  });
  if (!outcome.ok) throw new Error(outcome.reason);
  return outcome;
};
const spent = (day: number) =>
  books.run('spentOnPurchases', { provider: 'seller', chainId: 31337, token: key.token, day });
const channel = () => books.run('findPurchaseChannel', key);
const receipt = (sequence: number, runningTotal: bigint) => ({ sequence, runningTotal, encoded: 'AAAA' });

describe('purchases by authorizations', () => {
  it('count with their maximum until their cost is known, against the day on which they were signed', () => {
    const first = open();
    const second = open();
    expect([first.ok, second.ok]).toEqual([true, true]);
    expect(open()).toEqual({ ok: false, reason: 'day_limit' });
    expect(open({ nowMs: 11 * dayMs })).toMatchObject({ ok: true });
    if (!first.ok || !second.ok) throw new Error('refused');
    expect(books.run('closePurchase', { purchaseId: first.purchaseId, state: 'paid', cost: 15n })).toBeNull();
    expect(spent(10)).toBe(55n);
    // Signed and not answered: it may be taken yet.
    books.run('closePurchase', { purchaseId: second.purchaseId, state: 'unknown' });
    expect(spent(10)).toBe(55n);
    books.run('closePurchase', { purchaseId: second.purchaseId, state: 'void' });
    books.run('closePurchase', { purchaseId: second.purchaseId, state: 'paid', cost: 40n });
    expect(spent(10)).toBe(15n);
    expect(spent(11)).toBe(40n);
  });

  it('are made once for an attempt, and once with a nonce', () => {
    const once = request();
    expect(books.run('openPurchase', once)).toMatchObject({ ok: true });
    const { authority } = once;
    expect(open({ callId: once.callId })).toEqual({ ok: false, reason: 'attempt_paid' });
    expect(open({ authority })).toEqual({ ok: false, reason: 'nonce_used' });
    expect(open({ callId: once.callId, attempt: 2 })).toMatchObject({ ok: true });
  });

  it('of one call cost no more together than one call may, whichever attempts they are for', () => {
    const { callId } = request();
    const attempt = (number: number, changes: Partial<PurchaseRequest> = {}) =>
      open({ callId, attempt: number, maxPerCall: 100n, maxPerDay: 1_000n, ...changes });
    const [first, second] = [attempt(1), attempt(2)];
    expect([first.ok, second.ok]).toEqual([true, true]);
    // Nobody knows what became of the two: they may have been taken.
    if (!first.ok || !second.ok) throw new Error('refused');
    books.run('closePurchase', { purchaseId: first.purchaseId, state: 'unknown' });
    expect(attempt(3)).toEqual({ ok: false, reason: 'call_limit' });
    expect(attempt(3, { provider: 'another' })).toMatchObject({ ok: true });
    expect(attempt(4, { callId: createCallId() })).toMatchObject({ ok: true });
    books.run('closePurchase', { purchaseId: first.purchaseId, state: 'void' });
    expect(attempt(5)).toMatchObject({ ok: true });
  });

  it('cannot cost more than was signed', () => {
    const bought = open();
    if (!bought.ok) throw new Error('refused');
    expect(() => books.run('closePurchase', { purchaseId: bought.purchaseId, state: 'paid', cost: 41n })).toThrow();
    expect(spent(10)).toBe(40n);
  });

  it('whose relay died count as spent until somebody has looked', () => {
    open();
    books.stores.purchases.forsakeOpen();
    expect(books.run('listUnknownPurchases', { after: 0, limit: 10 })).toMatchObject([
      { state: 'unknown', cost: null },
    ]);
    expect(spent(10)).toBe(40n);
  });
});

describe('purchases on a channel', () => {
  beforeEach(() => {
    const parties = { ...key, channelId, payee: address('b1'), saltIndex: 0 };
    expect(books.run('addPurchaseChannel', { ...parties, amount: 100n })).toMatchObject({ deposit: 0n, refills: 1 });
    expect(open({ method: 'evm/session', authority: { kind: 'channel', channelId } })).toEqual({
      ...{ ok: false, reason: 'no_channel' },
    });
    books.run('endRefill', { channelId, refill: 1, deposit: 100n });
  });

  it('that run at once get vouchers that cover all of them, up to the deposit', () => {
    expect([buyOn(30n), buyOn(30n), buyOn(40n)].map(({ cumulative }) => cumulative)).toEqual([30n, 60n, 100n]);
    const channelOnly = {
      method: 'evm/session',
      maxPerDay: 10_000n,
      authority: { kind: 'channel', channelId },
    } as const;
    expect(open({ ...channelOnly, maximum: 1n })).toEqual({
      ...{ ok: false, reason: 'deposit_low' },
    });
    expect(channel()).toMatchObject({ signed: 100n, reserved: 100n, spent: 0n });
  });

  it('whose receipts come in another order leave what was spent, and room for the rest', () => {
    const [first, second] = [buyOn(30n), buyOn(30n)];
    const close = (purchaseId: number, cost: bigint, sequence: number, total: bigint) =>
      books.run('closePurchase', { purchaseId, state: 'paid', cost, receipt: receipt(sequence, total) });
    expect(close(second.purchaseId, 20n, 2, 25n)).toBeNull();
    expect(channel()).toMatchObject({ spent: 25n, reserved: 30n, sequence: 2 });
    expect(close(first.purchaseId, 5n, 1, 5n)).toBeNull();
    expect(channel()).toMatchObject({ spent: 25n, reserved: 0n, sequence: 2, signed: 60n });
    // Above every voucher before it, though less would cover it.
    expect(buyOn(10n).cumulative).toBe(61n);
  });

  it('stop where the seller’s running total is above all that was bought, until the operator lifts it', () => {
    const { purchaseId } = buyOn(30n);
    books.run('closePurchase', { purchaseId, state: 'void' });
    const next = buyOn(10n);
    const told = { purchaseId: next.purchaseId, state: 'paid', cost: 10n, receipt: receipt(2, 20n) } as const;
    expect(books.run('closePurchase', told)).toContain('above all that was bought');
    expect(channel()).toMatchObject({ spent: 0n, stopped: expect.stringContaining('above') });
    expect(open({ method: 'evm/session', authority: { kind: 'channel', channelId } })).toMatchObject({
      reason: 'stopped',
    });
    books.run('changePurchaseChannel', { channelId, stopped: 'another reason' });
    expect(channel()?.stopped).toContain('above');
    books.run('changePurchaseChannel', { channelId, stopped: null });
    expect(buyOn(1n).cumulative).toBe(32n);
  });

  it('of unknown cost are reconciled by what the seller says, if that can be and nothing is under way', () => {
    const bought = [buyOn(30n), buyOn(30n), buyOn(30n)];
    for (const { purchaseId } of bought.slice(0, 2)) books.run('closePurchase', { purchaseId, state: 'unknown' });
    const told = { channelId, spent: 40n, sequence: 0, upTo: bought[1]?.purchaseId ?? 0 };
    expect(books.run('reconcileChannel', told)).toBeNull();
    expect(channel()).toMatchObject({ spent: 0n, reserved: 90n });
    books.run('closePurchase', { purchaseId: bought[2]?.purchaseId ?? 0, state: 'void' });
    expect(books.run('reconcileChannel', told)).toBeNull();
    expect(channel()).toMatchObject({ spent: 40n, reserved: 0n });
    expect(spent(10)).toBe(40n);
    expect(books.run('listPurchases', { after: 0, limit: 10 }).map(({ cost }) => cost)).toEqual([30n, 10n, 0n]);
    expect(books.run('reconcileChannel', { ...told, spent: 41n })).toContain('it can be 40 to 40');
    expect(channel()?.stopped).not.toBeNull();
  });

  it.each(['paid', 'unknown'] as const)(
    'are not reconciled by what a seller said before a call of that time ended (%s): the channel is not stopped for it',
    (state) => {
      const [lost, running] = [buyOn(30n), buyOn(30n)];
      books.run('closePurchase', { purchaseId: lost.purchaseId, state: 'unknown' });
      const told = { channelId, spent: 0n, sequence: 0, upTo: lost.purchaseId };
      const end = state === 'paid' ? { state, cost: 20n, receipt: receipt(1, 20n) } : { state };
      books.run('closePurchase', { purchaseId: running.purchaseId, ...end });
      const before = channel();
      expect(books.run('reconcileChannel', told)).toBeNull();
      expect(channel()).toEqual(before);
      expect(before).toMatchObject({ stopped: null });
    },
  );

  it('refill one deposit at a time, each counted once', () => {
    expect(books.run('beginRefill', { channelId, amount: 50n })).toMatchObject({ refills: 2, refillAmount: 50n });
    expect(books.run('beginRefill', { channelId, amount: 70n })).toMatchObject({ refills: 2, refillAmount: 50n });
    books.run('endRefill', { channelId, refill: 1, deposit: 1_000n });
    expect(channel()).toMatchObject({ refillAmount: 50n, deposit: 100n });
    books.run('endRefill', { channelId, refill: 2, deposit: 150n });
    expect(channel()).toMatchObject({ refillAmount: null, deposit: 150n });
  });

  it('move to a new channel once this one is retired', () => {
    const parties = { ...key, payee: address('b1') };
    const another = { ...parties, channelId: anotherId, saltIndex: 1, amount: 5n };
    expect(books.run('addPurchaseChannel', another)).toMatchObject({ channelId });
    books.run('changePurchaseChannel', { channelId, retired: true });
    expect(books.run('addPurchaseChannel', another)).toMatchObject({ channelId: another.channelId });
  });
});
