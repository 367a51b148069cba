import { afterEach, beforeEach, expect, test } from 'vitest';
import { maxAmount } from '../amount-blob.ts';
import { someChannel, someCharge, someReserve } from '../ledger-fixtures.ts';
import type { BudgetTerms, ReserveRequest } from '../ledger.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
let channelId: `0x${string}`;
let cumulativeAmount: bigint;
beforeEach(() => {
  books = openTestBooks();
  channelId = books.run('upsertChannel', someChannel()).channelId;
  cumulativeAmount = 500_000n;
});
afterEach(() => books.close());

const admittedAtMs = 1_790_000_000_000;
const dayMs = 86_400_000;
const today = Math.floor(admittedAtMs / dayMs);
const one = 10n ** 18n;

/** Reserves with a voucher that covers far more than the quote. */
function reserve(quote: bigint, budget: Partial<BudgetTerms> = {}, overrides: Partial<ReserveRequest> = {}) {
  const terms = { day: today, limitAgpt: 1_000n, rate: one, ...budget };
  const request = someReserve({ channelId, cumulativeAmount: (cumulativeAmount += 1n) }, quote, {
    budget: terms,
    ...overrides,
  });
  return { request, decision: books.run('reserve', request) };
}

function spending(model = 'sim-small', day = today) {
  const { charged, reserved } = books.stores.modelDays.get(model, day);
  return { charged, reserved };
}

test('holds the quote at the rate of the day, rounded up, to the last wei of the limit', () => {
  // Half an AGPT wei per atomic unit.
  const rate = one / 2n;
  expect(reserve(1_999n, { rate }).decision).toMatchObject({ ok: true });
  expect(spending()).toEqual({ charged: 0n, reserved: 1_000n });
  const { decision, request } = reserve(1n, { rate });
  expect(decision).toMatchObject({
    ok: false,
    refusal: { code: 'model_budget_exceeded', spending: { charged: 0n, reserved: 1_000n, quote: 1n } },
  });
  expect(spending()).toEqual({ charged: 0n, reserved: 1_000n });
  // Nothing is held of what was refused, and its voucher is not used up.
  expect(books.run('getChannel', channelId)).toMatchObject({ reserved: 1_999n });
  expect(books.run('reserve', { ...request, quote: 0n })).toMatchObject({ ok: true });
});

test('counts each model and each day by itself', () => {
  reserve(1_000n);
  expect(reserve(1n).decision.ok).toBe(false);
  expect(reserve(1_000n, {}, { model: 'sim-large' }).decision.ok).toBe(true);
  const tomorrow = { admittedAtMs: (today + 1) * dayMs };
  expect(reserve(1_000n, { day: today + 1 }, tomorrow).decision.ok).toBe(true);
  expect(spending('sim-small', today + 1)).toEqual({ charged: 0n, reserved: 1_000n });
});

test('a charge counts what was charged and frees the rest, at the rate of the reservation', () => {
  const { request } = reserve(800n);
  books.run('charge', someCharge(request.callId, 300n));
  expect(spending()).toEqual({ charged: 300n, reserved: 0n });
  // Repeated, it counts once.
  books.run('charge', someCharge(request.callId, 300n));
  expect(spending()).toEqual({ charged: 300n, reserved: 0n });
  const dearer = reserve(10n, { rate: 3n * one });
  expect(spending()).toEqual({ charged: 300n, reserved: 30n });
  books.run('charge', someCharge(dearer.request.callId, 7n));
  expect(spending()).toEqual({ charged: 321n, reserved: 0n });
  expect(reserve(680n).decision.ok).toBe(false);
  expect(reserve(679n).decision.ok).toBe(true);
});

test('a charge above the reservation counts the reservation', () => {
  const { request } = reserve(400n);
  books.run('charge', someCharge(request.callId, 5_000n));
  expect(spending()).toEqual({ charged: 400n, reserved: 0n });
});

test('a release and a sweep free what the call held, once', () => {
  const released = reserve(400n).request;
  const lapsed = reserve(600n, {}, { leaseUntilMs: 1 }).request;
  books.run('release', { callId: released.callId, reason: 'client_gone', attempts: [] });
  books.run('release', { callId: released.callId, reason: 'client_gone', attempts: [] });
  expect(spending()).toEqual({ charged: 0n, reserved: 600n });
  expect(books.run('sweep', { leaseBeforeMs: 2, nowMs: 2 })).toBe(1);
  expect(spending()).toEqual({ charged: 0n, reserved: 0n });
  expect(() => books.run('charge', someCharge(lapsed.callId, 1n))).toThrow('was released before');
});

test('a call is charged for the model that it was reserved for', () => {
  const { request } = reserve(400n);
  expect(() => books.run('charge', someCharge(request.callId, 1n, { modelAsked: 'sim-large' }))).toThrow(
    'another model than it is charged for',
  );
  expect(spending()).toEqual({ charged: 0n, reserved: 400n });
});

test('a limit of nothing lets nothing through but calls that cost nothing', () => {
  expect(reserve(1n, { limitAgpt: 0n }).decision.ok).toBe(false);
  expect(reserve(0n, { limitAgpt: 0n }).decision.ok).toBe(true);
});

test('the largest limit and rate are exact; what is beyond any limit is refused, not overflowed', () => {
  const widest = { limitAgpt: maxAmount, rate: maxAmount };
  // 10^18 atomic units at the rate r count r.
  const { decision } = reserve(one, widest, { quote: one });
  expect(decision).toMatchObject({ ok: false, refusal: { code: 'insufficient_headroom' } });
  channelId = books.run('upsertChannel', someChannel({ deposit: maxAmount })).channelId;
  cumulativeAmount = maxAmount - 10n;
  expect(reserve(one, widest).decision.ok).toBe(true);
  expect(spending()).toEqual({ charged: 0n, reserved: maxAmount });
  expect(reserve(one, widest).decision).toMatchObject({ refusal: { code: 'model_budget_exceeded' } });
});

test('a payer that cannot pay hears of that first', () => {
  const request = someReserve({ channelId, cumulativeAmount: 5n }, 10n, {
    budget: { day: today, limitAgpt: 0n, rate: one },
  });
  expect(books.run('reserve', request)).toMatchObject({ refusal: { code: 'insufficient_headroom' } });
});

test('the budget of another day, or beyond what the chain can set, is refused as a fault of ours', () => {
  expect(() => reserve(1n, { day: today - 1 })).toThrow(`A call of day ${today} cannot spend that of ${today - 1}.`);
  expect(() => reserve(1n, { rate: maxAmount + 1n })).toThrow('beyond what the chain can set');
  expect(() => reserve(1n, { limitAgpt: -1n })).toThrow('beyond what the chain can set');
  const free = someReserve(null, 0n, { budget: { day: today, limitAgpt: 1n, rate: one } });
  expect(() => books.run('reserve', free)).toThrow('has the quote 0, no budget');
});
