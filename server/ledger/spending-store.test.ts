import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import { maxAmount } from './amount-blob.ts';
import type { SpendingDimension, SpendingSum } from './background-ledger.ts';
import { someCharge, someDirectReserve, somePayment, someReserve, testToken } from './ledger-fixtures.ts';
import { mergeSpending } from './spending-store.ts';
import { openTestBooks, type TestBooks } from './test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

const alice: Hex = `0x${'a1'.repeat(20)}`;
const bob: Hex = `0x${'b0'.repeat(20)}`;
const dayMs = 86_400_000;

interface Charge {
  payer?: Hex;
  keyId?: string | null;
  day?: number;
  model?: string;
}

function charge(amount: bigint, { payer = alice, keyId = 'k1', day = 20_000, model = 'small' }: Charge = {}) {
  const payment = somePayment({ payer, maximum: maxAmount, kind: 'permit2-upto' });
  const budget = { day, limitAgpt: maxAmount, rate: 1n };
  const request = someDirectReserve(payment, amount, { keyId, model, admittedAtMs: day * dayMs + 1, budget });
  books.run('reserve', request);
  books.run('charge', someCharge(request.callId, amount, { modelAsked: model }));
  return request.callId;
}

function sums(groupBy: SpendingDimension[], filter = {}): SpendingSum[] {
  const page = books.run('sumSpending', { groupBy, ...filter });
  expect(page.next).toBeNull();
  return page.sums;
}

const none = { payer: null, keyId: null, model: null, day: null };

test('sums charges by what is asked for, beyond 2^64', () => {
  charge(2n ** 64n);
  charge(5n, { model: 'large' });
  charge(7n, { payer: bob, keyId: null, day: 20_001 });
  const free = someReserve(null, 0n, { admittedAtMs: 20_000 * dayMs });
  books.run('reserve', free);
  books.run('charge', someCharge(free.callId, 0n, { token: `0x${'0'.repeat(40)}` }));
  const total = 2n ** 64n + 5n + 7n;
  expect(sums([]).at(-1)).toEqual({ ...none, token: testToken, calls: 3, amount: total });
  expect(sums(['key', 'day'], { payer: alice })).toEqual([
    { ...none, token: testToken, keyId: 'k1', day: 20_000, calls: 2, amount: 2n ** 64n + 5n },
  ]);
  expect(sums(['model'], { keyId: 'k1' }).map(({ model, amount }) => [model, amount])).toEqual([
    ['large', 5n],
    ['small', 2n ** 64n],
  ]);
  expect(sums(['payer'], { sinceDay: 20_001 })).toEqual([
    { ...none, token: testToken, payer: bob, calls: 1, amount: 7n },
  ]);
  expect(sums([], { untilDay: 19_999 })).toEqual([]);
  expect(sums([], { keyId: 'k1', payer: bob })).toEqual([]);
});

test('charges come in pages, in the order of the log, with their receipts', () => {
  const calls = [1n, 2n, 3n].map((amount) => charge(amount, amount === 2n ? { payer: bob } : {}));
  const first = books.run('listCharges', { limit: 2 });
  expect(first.next).toBe(2);
  const second = books.run('listCharges', { limit: 2, from: first.next ?? 0 });
  expect(second.next).toBeNull();
  const rows = [...first.rows, ...second.rows];
  expect(rows.map((row) => row.callId)).toEqual(calls);
  for (const { entry, amount, payer } of rows) expect(decodeReceipt(entry)).toMatchObject({ amount, payer });
  // What does not fit the filter still counts for the page: it was read.
  expect(books.run('listCharges', { limit: 9, payer: bob }).rows.map((row) => row.index)).toEqual([1]);
  expect(books.run('listCharges', { limit: 2, untilDay: 1 })).toEqual({ rows: [], next: 2 });
});

test('sums of pages merge into what one page would say', () => {
  const sum = (day: number, amount: bigint) => ({ ...none, token: testToken, day, calls: 1, amount });
  expect(mergeSpending([sum(2, 5n), sum(1, 3n), sum(2, 4n)])).toEqual([sum(1, 3n), { ...sum(2, 9n), calls: 2 }]);
});

test('finds by payer and by key without reading other charges', () => {
  const plan = (where: string) =>
    books.db
      .prepare(
        `EXPLAIN QUERY PLAN SELECT amount FROM charges WHERE ${where} AND log_index >= 0 ORDER BY log_index LIMIT 9`,
      )
      .all()
      .map((row) => row['detail'])
      .join();
  expect(plan(`payer = x'00'`)).toContain('charges_by_payer');
  expect(plan(`key_id = 'k'`)).toContain('charges_by_key');
});
