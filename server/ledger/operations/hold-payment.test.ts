import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { maxAmount } from '../amount-blob.ts';
import {
  someChannel,
  someCharge,
  someDirectReserve,
  someKey,
  somePayment,
  someReserve,
  testScope,
} from '../ledger-fixtures.ts';
import type { DirectPayment, ReserveRequest } from '../ledger.ts';
import { createPaymentStore } from '../payment-store.ts';
import { retriedUntilSeconds } from '../retried-until.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

function reserve(payment: DirectPayment, quote: bigint, overrides: Partial<ReserveRequest> = {}) {
  const request = someDirectReserve(payment, quote, overrides);
  return { request, decision: books.run('reserve', request) };
}

function codeOf(decision: { ok: boolean; refusal?: { code: string } }): string {
  return decision.ok ? 'ok' : (decision.refusal?.code ?? '');
}

const released = (callId: string) => ({ callId, reason: 'upstream_error', attempts: [] }) as const;

test('a payment is reserved for its call, whatever its quote leaves of it', () => {
  const payment = somePayment();
  const { request, decision } = reserve(payment, 400n);
  expect(decision).toEqual({ ok: true, channel: null });
  const { available: _available, ...stored } = payment;
  expect(books.run('getPayment', payment.paymentId)).toEqual({
    ...stored,
    ...{ state: 'reserved', callId: request.callId, charge: 0n, captured: 0n, transactionHash: null, lossReason: null },
  });
});

test('one payment is for one call: the next one with it is told which', () => {
  const payment = somePayment();
  const { request } = reserve(payment, 400n);
  const again = reserve(
    { ...payment, paymentId: payment.paymentId.toUpperCase().replace('X', 'x') as `0x${string}` },
    1n,
  );
  expect(again.decision).toMatchObject({
    ok: false,
    refusal: { code: 'payment_already_used', usedByCallId: request.callId, channel: null },
  });
  books.run('charge', someCharge(request.callId, 300n));
  expect(codeOf(reserve(payment, 1n).decision)).toBe('payment_already_used');
  books.run('settlePayment', { paymentId: payment.paymentId, transactionHash: `0x${'11'.repeat(32)}` });
  expect(codeOf(reserve(payment, 1n).decision)).toBe('payment_already_used');
});

test('50 of the same in one group: one is admitted, the others repeat it', () => {
  const payment = somePayment();
  const idempotency = someKey(payment.paymentId);
  const requests = Array.from({ length: 50 }, () => someDirectReserve(payment, 400n, { idempotency }));
  const outcomes = books.runGroup(requests.map((argument) => ({ name: 'reserve', argument })));
  const codes = outcomes.map((outcome) => codeOf(outcome.ok ? (outcome.value as { ok: boolean }) : { ok: true }));
  expect(codes.filter((code) => code === 'ok')).toHaveLength(1);
  expect(codes.filter((code) => code === 'idempotent_repeat')).toHaveLength(49);
});

test('after its call was released, the same payload may be tried again', () => {
  const payment = somePayment();
  const first = reserve(payment, 400n);
  books.run('release', released(first.request.callId));
  expect(books.run('getPayment', payment.paymentId)?.state).toBe('released');
  const second = reserve(payment, 500n);
  expect(codeOf(second.decision)).toBe('ok');
  // Nothing that is left of the first call ends the second one's reservation.
  books.run('release', released(first.request.callId));
  expect(books.run('getPayment', payment.paymentId)).toMatchObject({
    state: 'reserved',
    callId: second.request.callId,
  });
  expect(() => books.run('charge', someCharge(first.request.callId, 1n))).toThrow('was released before');
  expect(books.run('charge', someCharge(second.request.callId, 500n)).receipt.amount).toBe(500n);
});

test('a nonce of Permit2 may be tried again by the other scheme, and is then taken by that', () => {
  const exact = somePayment({ kind: 'permit2-exact' });
  books.run('release', released(reserve(exact, 400n).request.callId));
  const { request } = reserve({ ...exact, kind: 'permit2-upto' }, 400n);
  books.run('charge', someCharge(request.callId, 300n));
  expect(books.run('getPayment', exact.paymentId)).toMatchObject({ kind: 'permit2-upto', captured: 300n });
});

test('the sweep frees the payment of a call whose lease has ended', () => {
  const payment = somePayment();
  const { request } = reserve(payment, 400n);
  books.run('sweep', { leaseBeforeMs: request.leaseUntilMs, nowMs: 1 });
  expect(books.run('getPayment', payment.paymentId)?.state).toBe('reserved');
  books.run('sweep', { leaseBeforeMs: request.leaseUntilMs + 1, nowMs: 1 });
  expect(books.run('getPayment', payment.paymentId)?.state).toBe('released');
  expect(codeOf(reserve(payment, 400n).decision)).toBe('ok');
});

test('a quote above what was signed is refused, to the unit, and leaves the payment unused', () => {
  const payment = somePayment({ maximum: 399n });
  expect(reserve(payment, 400n).decision).toMatchObject({
    refusal: { code: 'insufficient_headroom', requiredCumulative: 400n },
  });
  expect(books.run('getPayment', payment.paymentId)).toBeUndefined();
  expect(codeOf(reserve(payment, 399n).decision)).toBe('ok');
});

test('amounts reach 2^128 − 1', () => {
  const payment = somePayment({ maximum: maxAmount });
  const budget = { budget: { ...someDirectReserve(payment, 0n).budget, limitAgpt: maxAmount, rate: 1n, day: 20717 } };
  const { request, decision } = reserve(payment, maxAmount, budget);
  expect(codeOf(decision)).toBe('ok');
  const { receipt } = books.run('charge', someCharge(request.callId, maxAmount));
  expect(receipt).toMatchObject({ amount: maxAmount, refundOwed: 0n });
  expect(books.run('getPayment', payment.paymentId)).toMatchObject({ charge: maxAmount, captured: maxAmount });
});

test.each(['=', '<>'])('what a wallet has open is found without reading what others paid: kind %s allowance', (is) => {
  const where = `p.kind ${is} 'allowance' AND p.state IN ('reserved', 'due') AND p.payer = ? AND p.token = ?`;
  const query = `SELECT c.quote FROM direct_payments p JOIN calls c USING (call_id) WHERE ${where}`;
  const plan = books.db.prepare(`EXPLAIN QUERY PLAN ${query}`).all(new Uint8Array(20), new Uint8Array(20));
  expect(plan[0]?.['detail']).toContain('SEARCH p USING INDEX direct_payments_');
  expect(plan[0]?.['detail']).toContain('(payer=? AND token=?)');
});

test('what no method may let through is a fault of ours, and changes nothing', () => {
  const faults: Partial<DirectPayment>[] = [
    { maximum: -1n },
    { maximum: maxAmount + 1n },
    { token: `0x${'99'.repeat(20)}` },
    { payload: 'é'.repeat(4_097) },
    { available: null },
  ];
  for (const fault of faults)
    expect(() => reserve(somePayment(fault), 1n), JSON.stringify(Object.keys(fault))).toThrow();
  expect(codeOf(reserve(somePayment({ payload: 'é'.repeat(4_096) }), 1n).decision)).toBe('ok');
});

describe('a wallet', () => {
  test('is not let sign the same money away many times at once', () => {
    const payer = somePayment().payer;
    const by = (kind: DirectPayment['kind'], available = 1_500n) =>
      somePayment({ kind, payer, maximum: 1_000n, available });
    const first = reserve(by('eip3009'), 10n);
    expect(codeOf(first.decision)).toBe('ok');
    // All of an exact payment is taken; of upto no more than the quote.
    expect(reserve(by('permit2-exact'), 10n).decision).toMatchObject({
      refusal: { code: 'insufficient_funds', availableAllowance: 500n },
    });
    expect(codeOf(reserve(by('permit2-upto'), 501n).decision)).toBe('insufficient_funds');
    const second = reserve(by('permit2-upto'), 500n);
    expect(codeOf(second.decision)).toBe('ok');
    expect(codeOf(reserve(by('permit2-upto'), 1n).decision)).toBe('insufficient_funds');
    // What is charged counts by what is taken of it; what is settled or released has gone, or is back.
    books.run('charge', someCharge(second.request.callId, 100n));
    expect(codeOf(reserve(by('permit2-upto'), 401n).decision)).toBe('insufficient_funds');
    books.run('release', released(first.request.callId));
    expect(codeOf(reserve(by('eip3009'), 10n).decision)).toBe('ok');
    // Another payer's do not count.
    expect(codeOf(reserve(somePayment({ available: 1_000n }), 10n).decision)).toBe('ok');
  });
});

describe('a payer', () => {
  test('leaves no more unsettled than the relay allows, all kinds of payments together, but always one call', () => {
    const { payer } = somePayment();
    const by = (changes: Partial<DirectPayment>) => somePayment({ payer, maximum: 1_000n, ...changes });
    const bound = { maxUnsettled: 1_500n };
    const alone = reserve(by({ maximum: 9_000n }), 10n, bound);
    expect(codeOf(alone.decision)).toBe('ok');
    expect(reserve(by({}), 10n, bound).decision).toMatchObject({
      refusal: { code: 'unsettled_limit_reached', unsettled: { amount: 9_000n, limit: 1_500n } },
    });
    books.run('release', released(alone.request.callId));
    // Of an exact payment all of it counts, of upto the quote; what is due as what is under way, until it is settled.
    const exact = by({});
    const { request } = reserve(exact, 10n, bound);
    expect(codeOf(reserve(by({ kind: 'permit2-upto' }), 501n, bound).decision)).toBe('unsettled_limit_reached');
    books.run('charge', someCharge(request.callId, 10n));
    expect(codeOf(reserve(by({ kind: 'permit2-upto' }), 501n, bound).decision)).toBe('unsettled_limit_reached');
    expect(codeOf(reserve(by({ kind: 'allowance' }), 1n, bound).decision)).toBe('unsettled_limit_reached');
    expect(codeOf(reserve(by({ kind: 'permit2-upto' }), 500n, bound).decision)).toBe('ok');
    expect(codeOf(reserve(somePayment(), 10n, bound).decision)).toBe('ok');
    books.run('settlePayment', { paymentId: exact.paymentId, transactionHash: `0x${'11'.repeat(32)}` });
    expect(codeOf(reserve(by({}), 10n, bound).decision)).toBe('ok');
  });
});

test('a payment that nobody has looked at since its call was released is not reserved', () => {
  const payment = somePayment();
  const { request } = reserve(payment, 400n);
  const repeat = { ...payment, available: null };
  books.run('release', released(request.callId));
  expect(reserve(repeat, 400n).decision).toMatchObject({
    refusal: { code: 'idempotent_repeat', usedByCallId: request.callId, usedByState: 'released' },
  });
  expect(codeOf(reserve(payment, 400n).decision)).toBe('ok');
  expect(codeOf(reserve(repeat, 400n).decision)).toBe('payment_already_used');
  expect(() => reserve(somePayment({ available: null }), 1n)).toThrow('Nobody has looked at payment');
});

describe('an allowance', () => {
  const unit = 800_000_000_000_000n;

  test('serves calls side by side, in whole billing units, and no more than it covers', () => {
    const payer = somePayment().payer;
    const by = (available: bigint) => somePayment({ kind: 'allowance', payer, maximum: 10n * unit, available });
    const first = reserve(by(3n * unit), unit + 1n);
    expect(codeOf(first.decision)).toBe('ok');
    expect(reserve(by(3n * unit), unit + 1n).decision).toMatchObject({
      refusal: { code: 'insufficient_allowance', availableAllowance: unit },
    });
    expect(codeOf(reserve(by(3n * unit), unit).decision)).toBe('ok');
    // Another payer's, another token's and released ones do not count.
    expect(codeOf(reserve(somePayment({ kind: 'allowance', maximum: unit, available: unit }), unit).decision)).toBe(
      'ok',
    );
    books.run('release', released(first.request.callId));
    expect(codeOf(reserve(by(3n * unit), 2n * unit).decision)).toBe('ok');
  });

  test('must cover the whole unit that a quote begins', () => {
    const payment = somePayment({ kind: 'allowance', maximum: 10n * unit, available: unit + 5n });
    expect(codeOf(reserve(payment, unit + 1n).decision)).toBe('insufficient_allowance');
    expect(codeOf(reserve(payment, unit).decision)).toBe('ok');
  });

  test('counts what is charged and not settled yet by its charge', () => {
    const payer = somePayment().payer;
    const by = (available: bigint) => somePayment({ kind: 'allowance', payer, maximum: 10n * unit, available });
    const payment = by(4n * unit);
    const { request } = reserve(payment, 4n * unit);
    books.run('charge', someCharge(request.callId, unit));
    expect(codeOf(reserve(by(4n * unit), 3n * unit + 1n).decision)).toBe('insufficient_allowance');
    expect(codeOf(reserve(by(4n * unit), 3n * unit).decision)).toBe('ok');
    books.run('settlePayment', { paymentId: payment.paymentId, transactionHash: `0x${'11'.repeat(32)}` });
    expect(reserve(by(3n * unit), 1n).decision).toMatchObject({
      refusal: { code: 'insufficient_allowance', availableAllowance: 0n },
    });
  });
});

describe('a payer with a lost payment', () => {
  test('is refused, however it pays, until the payment is settled or forgiven', () => {
    const payment = somePayment();
    const { payer, paymentId } = payment;
    const channel = books.run('upsertChannel', someChannel({ payer }));
    const { channelId } = channel;
    const { request } = reserve(payment, 400n);
    books.run('charge', someCharge(request.callId, 300n));
    const byVoucher = () => books.run('reserve', someReserve({ channelId, cumulativeAmount: 500n }, 100n));
    books.run('losePayment', { paymentId, reason: 'nonce used' });
    const { chargedAtMs, validBefore } = books.run('listLosses', { limit: 1 })[0] ?? { chargedAtMs: 0, validBefore: 0 };
    const owed = { paymentId, amount: 1_000n, retriedUntil: retriedUntilSeconds({ chargedAtMs, validBefore }) };
    expect(reserve(somePayment({ payer }), 1n).decision).toMatchObject({ refusal: { code: 'payer_owes', owed } });
    expect(byVoucher()).toMatchObject({ refusal: { code: 'payer_owes', owed, channel: { channelId } } });
    expect(codeOf(books.run('reserve', someReserve(null, 0n)))).toBe('ok');
    expect(codeOf(reserve(somePayment(), 1n).decision)).toBe('ok');
    books.run('forgivePayment', paymentId);
    expect(codeOf(reserve(somePayment({ payer }), 1n).decision)).toBe('ok');
    expect(codeOf(byVoucher())).toBe('ok');
  });

  test('is refused after a restart too', () => {
    const payment = somePayment();
    const { request } = reserve(payment, 400n);
    books.run('charge', someCharge(request.callId, 300n));
    books.run('losePayment', { paymentId: payment.paymentId, reason: 'balance gone' });
    // What a newly started writer knows of losses.
    expect(createPaymentStore(books.db, testScope.chainId).findLoss(payment.payer)?.paymentId).toBe(payment.paymentId);
  });
});
