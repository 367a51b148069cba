import { afterEach, beforeEach, expect, test } from 'vitest';
import { toHex, type Hex } from '../../../protocol/bytes/hex.ts';
import { someChannel, someCharge, someDirectReserve, somePayment, someReserve, testToken } from '../ledger-fixtures.ts';
import type { DirectPayment } from '../ledger.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

const transactionHash: Hex = `0x${'aa'.repeat(32)}`;
const alice: Hex = `0x${'a1'.repeat(20)}`;
const bob: Hex = `0x${'b0'.repeat(20)}`;

/** A payment of 1,000 for a call of `amount`, settled. */
function settled(amount: bigint, overrides: Partial<DirectPayment> = {}) {
  const payment = somePayment({ payer: alice, ...overrides });
  const { token, paymentId } = payment;
  const request = someDirectReserve(payment, 1_000n, { token });
  books.run('reserve', request);
  books.run('charge', someCharge(request.callId, amount, { token }));
  if (amount > 0n) books.run('settlePayment', { paymentId, transactionHash });
  return request.callId;
}

test('a payment of nothing has no transaction', () => {
  settled(0n);
  const [row] = books.db.prepare('SELECT payment_id FROM direct_payments').all();
  const paymentId = toHex(row?.['payment_id'] as Uint8Array);
  expect(() => books.run('settlePayment', { paymentId, transactionHash })).toThrow('takes nothing');
});

const spendOf = (amount: bigint) => ({ day: 20_717, model: 'sim-small', provider: 'simulated', amount });

test('books what settled payments were for, and sums what goes back to each wallet', () => {
  const first = settled(300n);
  settled(200n);
  const third = settled(1n, { payer: bob });
  settled(1_000n, { payer: bob });
  settled(50n, { kind: 'permit2-upto' });
  // Who has nothing to get back is not named.
  settled(2n, { kind: 'permit2-upto', payer: `0x${'c0'.repeat(20)}` });
  expect(books.run('openPaymentBooking', { maxPayments: 0 })).toBeUndefined();
  const opened = books.run('openPaymentBooking', { maxPayments: 9 });
  expect(opened).toEqual({
    collectionId: 1,
    token: testToken,
    spends: [spendOf(1_553n)],
    refunds: [
      { callId: first, to: alice, amount: 1_500n },
      { callId: third, to: bob, amount: 999n },
    ],
    logSize: 6,
  });
  // It waits as a collection does, and is booked once.
  expect(books.run('listPendingBookings', {})).toEqual([opened]);
  expect(books.run('openPaymentBooking', { maxPayments: 9 })).toBeUndefined();
  expect(books.run('listOpenCollections', undefined)).toEqual([]);
  const booked = { collectionId: 1, batchId: 7n, transactionHash };
  books.run('finishBooking', booked);
  books.run('finishBooking', booked);
  expect(books.run('listPendingBookings', {})).toEqual([]);
  expect(() => books.run('abandonCollection', 1)).toThrow('is booked');
});

test('allowances, unsettled, lost and empty payments are never booked', () => {
  settled(0n);
  settled(10n, { kind: 'allowance', available: 10n ** 18n });
  const due = somePayment();
  const lost = somePayment();
  for (const payment of [due, lost]) {
    const request = someDirectReserve(payment, 9n);
    books.run('reserve', request);
    books.run('charge', someCharge(request.callId, 9n));
  }
  books.run('losePayment', { paymentId: lost.paymentId, reason: 'gone' });
  expect(books.run('openPaymentBooking', { maxPayments: 9 })).toBeUndefined();
  books.run('settlePayment', { paymentId: lost.paymentId, transactionHash });
  expect(books.run('openPaymentBooking', { maxPayments: 9 })).toMatchObject({ spends: [spendOf(9n)] });
});

test('takes one token at a time, the oldest first, and no more payments than asked for', () => {
  const other: Hex = `0x${'dd'.repeat(20)}`;
  settled(1n);
  settled(2n, { token: other });
  settled(4n);
  settled(8n);
  const open = (maxPayments: number) => books.run('openPaymentBooking', { maxPayments });
  const first = open(2);
  expect(first?.token).toBe(testToken);
  expect(first?.refunds).toHaveLength(1);
  const rest = [open(9), open(9)];
  expect(open(9)).toBeUndefined();
  const sum = [first, ...rest]
    .flatMap((booking) => booking?.spends ?? [])
    .reduce((all, { amount }) => all + amount, 0n);
  expect(sum).toBe(15n);
  expect(new Set(rest.map((booking) => booking?.token))).toEqual(new Set([testToken, other]));
});

test('is beside the collections of channels, which take no payment', () => {
  settled(300n);
  const { channelId } = books.run('upsertChannel', someChannel());
  const request = someReserve({ channelId, cumulativeAmount: 500n }, 100n);
  books.run('reserve', request);
  books.run('charge', someCharge(request.callId, 60n));
  const collection = books.run('openCollection', { maxClaims: 9 });
  expect(collection?.claims).toMatchObject([{ claimed: 60n }]);
  books.run('finishCollection', { id: collection?.id ?? 0, transactionHash, skipped: [] });
  books.run('openPaymentBooking', { maxPayments: 9 });
  expect(books.run('listPendingBookings', {})).toMatchObject([
    { collectionId: 1, spends: [spendOf(60n)], refunds: [] },
    { collectionId: 2, spends: [spendOf(300n)], refunds: [{ to: alice, amount: 700n }] },
  ]);
});
