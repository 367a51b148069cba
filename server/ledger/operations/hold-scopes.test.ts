import { afterEach, beforeEach, expect, test } from 'vitest';
import { maxAmount } from '../amount-blob.ts';
import { someChannel, someCharge, someDirectReserve, somePayment, someReserve, testToken } from '../ledger-fixtures.ts';
import type { SpendingScope } from '../ledger.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
let channelId: `0x${string}`;
let cumulativeAmount = 0n;
beforeEach(() => {
  books = openTestBooks();
  cumulativeAmount = 10_000n;
  ({ channelId } = books.run('upsertChannel', someChannel()));
});
afterEach(() => books.close());

const scope = (id: string, limit: bigint, window = 0): SpendingScope => ({ id, window, limit, endsAtSeconds: null });
const spent = (id: string, window = 0) => {
  const [row] = books.run('getSpending', [{ id, window, token: testToken }]);
  return row && [row.charged, row.reserved];
};

function reserve(quote: bigint, ...scopes: SpendingScope[]) {
  cumulativeAmount += 1n;
  const request = someReserve({ channelId, cumulativeAmount }, quote, { scopes, keyId: 'k1' });
  return { request, decision: books.run('reserve', request) };
}

test('a quote is held in every scope, its charge counts, and the rest is free again', () => {
  const { request } = reserve(100n, scope('key:a', 100n), scope('project:p', 500n, 7));
  expect([spent('key:a'), spent('project:p', 7)]).toEqual([
    [0n, 100n],
    [0n, 100n],
  ]);
  books.run('charge', someCharge(request.callId, 30n));
  expect([spent('key:a'), spent('project:p', 7)]).toEqual([
    [30n, 0n],
    [30n, 0n],
  ]);
  expect(spent('project:p')).toEqual([0n, 0n]);
});

test('the first scope that a quote does not fit is named, to the unit, and nothing is held anywhere', () => {
  reserve(60n, scope('key:a', 100n));
  const before = books.run('getChannel', channelId);
  expect(reserve(41n, scope('project:p', 100n), scope('key:a', 100n)).decision).toMatchObject({
    refusal: {
      code: 'scope_exceeded',
      scope: { id: 'key:a', window: 0, limit: 100n, charged: 0n, reserved: 60n },
      channel: { channelId },
    },
  });
  expect(spent('project:p')).toEqual([0n, 0n]);
  expect(books.run('getChannel', channelId)).toEqual(before);
  expect(books.stores.modelDays.get('sim-small', 20_717).reserved).toBe(60n);
  expect(reserve(40n, scope('project:p', 100n), scope('key:a', 100n)).decision.ok).toBe(true);
});

test('a scope that its budget of the day stops holds nothing', () => {
  const { request } = reserve(1n, scope('key:a', 100n));
  const budget = request.budget && { ...request.budget, limitAgpt: 1n };
  const stopped = someReserve({ channelId, cumulativeAmount: 20_000n }, 5n, { scopes: [scope('key:a', 100n)], budget });
  expect(books.run('reserve', stopped)).toMatchObject({ refusal: { code: 'model_budget_exceeded' } });
  expect(spent('key:a')).toEqual([0n, 1n]);
});

test('release and sweep give back what is held', () => {
  const first = reserve(10n, scope('key:a', 100n));
  reserve(20n, scope('key:a', 100n));
  books.run('release', { callId: first.request.callId, reason: 'client_gone', attempts: [] });
  expect(spent('key:a')).toEqual([0n, 20n]);
  books.run('sweep', { leaseBeforeMs: Number.MAX_SAFE_INTEGER, nowMs: 1 });
  expect(spent('key:a')).toEqual([0n, 0n]);
});

test('every window and token has a sum of its own', () => {
  reserve(100n, scope('key:a', 100n, 1));
  expect(reserve(100n, scope('key:a', 100n, 2)).decision.ok).toBe(true);
  const token = `0x${'dd'.repeat(20)}` as const;
  const other = someDirectReserve(somePayment({ token }), 100n, { token, scopes: [scope('key:a', 100n, 1)] });
  expect(books.run('reserve', other)).toEqual({ ok: true, channel: null });
  expect(spent('key:a', 1)).toEqual([0n, 100n]);
});

test('sums reach 2^128 − 1 and no further, whatever the limit', () => {
  const by = (quote: bigint, id: string) => {
    const payment = somePayment({ maximum: maxAmount });
    const day = 20_717;
    const budget = { day, limitAgpt: maxAmount, rate: 1n };
    return books.run('reserve', someDirectReserve(payment, quote, { budget, scopes: [scope(id, 2n ** 200n)] }));
  };
  expect(by(maxAmount - 1n, 'key:a').ok).toBe(true);
  expect(by(2n, 'key:a')).toMatchObject({ refusal: { code: 'scope_exceeded' } });
  expect(by(1n, 'key:a').ok).toBe(true);
});

test('scopes that no relay would give are a fault of ours', () => {
  const many = Array.from({ length: 9 }, (_, index) => scope(`key:${index}`, 1n));
  const faults = [many, [scope('key:a', 1n), scope('key:a', 2n)], [scope('', 1n)], [scope('k'.repeat(129), 1n)]];
  for (const scopes of [...faults, [scope('key:a', -1n)], [scope('key:a', 1n, -1)]]) {
    expect(() => reserve(1n, ...scopes)).toThrow('at most 8 different scopes');
  }
  const free = someReserve(null, 0n, { scopes: [scope('key:a', 1n)] });
  expect(() => books.run('reserve', free)).toThrow('no scopes');
});
