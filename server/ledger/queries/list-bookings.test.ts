import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { someCharge, someDirectReserve, somePayment } from '../ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';
import type { BookingQuery } from './audit-queries.ts';
import { createQuestionTable, type QuestionTable } from './create-question-table.ts';
import { chainIds, makeCharge, openChannel } from './query-fixtures.ts';

const [ann, bob]: [Hex, Hex] = [`0x${'a1'.repeat(20)}`, `0x${'b2'.repeat(20)}`];
const hash = (byte: string): Hex => `0x${byte.repeat(32)}`;
const home = chainIds[0];
const words = { keyId: null, model: 'sim-small', provider: 'simulated' };

interface Booking {
  collection: number;
  chainId: number;
  source: string;
  state: string;
  calls: number;
  amount: string;
  batchId: string | null;
  bookingTransactionHash: string | null;
  spends: { amount: string; day: string }[];
  refunds: { to: string; amount: string }[];
}

let books: TestBooks;
let table: QuestionTable;
beforeEach(() => {
  books = openTestBooks();
  table = createQuestionTable(books.db);
});
afterEach(() => books.close());

function list(query: Partial<BookingQuery> = {}): Booking[] {
  const { rows } = table.listBookings({ order: 'asc', limit: 20, ...query });
  return rows.map((row) => JSON.parse(row) as Booking);
}

/** A charge by a payment of 1,000, of which 400 are spent. */
function payDirectly(payer: Hex): void {
  const payment = somePayment({ payer });
  const request = someDirectReserve(payment, 900n);
  books.run('reserve', request);
  books.run('charge', someCharge(request.callId, 400n));
  books.run('settlePayment', { paymentId: payment.paymentId, transactionHash: hash('05') });
}

function collectChannels(chainId: number): number {
  const collection = books.run('openCollection', { maxClaims: 10 }, chainId);
  if (!collection) throw new Error('nothing to collect');
  books.run('finishCollection', { id: collection.id, transactionHash: hash('01'), skipped: [] }, chainId);
  return collection.id;
}

test('all are listed for the operator; a payer sees its own, and of them its own part', () => {
  for (const [payer, count] of [
    [ann, 2],
    [bob, 1],
  ] as const) {
    const channelId = openChannel(books, { chainId: home, payer });
    for (let n = 0; n < count; n += 1) makeCharge(books, { ...words, chainId: home, channelId, payer });
  }
  const both = collectChannels(home);
  books.run('finishBooking', { collectionId: both, batchId: 7n, transactionHash: hash('02') });
  payDirectly(ann);
  const direct = books.run('openPaymentBooking', { maxPayments: 10 })?.collectionId;

  const [first, second] = list();
  expect(first).toMatchObject({
    ...{ collection: both, chainId: home, source: 'channels', state: 'booked', calls: 3, amount: '9', batchId: '7' },
    ...{ bookingTransactionHash: hash('02'), refunds: [], release: null, logSize: 3 },
  });
  expect(first?.spends).toEqual([{ day: '2026-09-21', model: 'sim-small', provider: 'simulated', amount: '9' }]);
  expect(second).toMatchObject({ collection: direct, source: 'payments', state: 'collected', amount: '400' });
  expect(second?.refunds).toMatchObject([{ to: ann, amount: '600' }]);

  expect(list({ payer: ann }).map(({ collection, calls, amount }) => [collection, calls, amount])).toEqual([
    [both, 2, '6'],
    [direct, 1, '400'],
  ]);
  expect(list({ payer: bob })).toMatchObject([{ collection: both, calls: 1, amount: '3', spends: [{ amount: '3' }] }]);
  expect(list({ payer: bob, chainId: chainIds[1] })).toEqual([]);
  expect(list({ payer: `0x${'c3'.repeat(20)}` })).toEqual([]);
});

test('chains are told apart, and what was abandoned or skipped is no payer’s', () => {
  const channelId = openChannel(books, { chainId: chainIds[1], payer: ann });
  makeCharge(books, { ...words, chainId: chainIds[1], channelId, payer: ann });
  const abandoned = books.run('openCollection', { maxClaims: 10 }, chainIds[1]);
  books.run('abandonCollection', abandoned?.id ?? 0, chainIds[1]);
  const skipped = books.run('openCollection', { maxClaims: 10 }, chainIds[1]);
  const outcome = { id: skipped?.id ?? 0, transactionHash: hash('03'), skipped: [channelId] };
  books.run('finishCollection', outcome, chainIds[1]);
  const taken = collectChannels(chainIds[1]);
  expect(list().map(({ state, amount }) => [state, amount])).toEqual([
    ['abandoned', '0'],
    // There was nothing to book.
    ['booked', '0'],
    ['collected', '3'],
  ]);
  expect(list({ payer: ann })).toMatchObject([{ collection: taken, chainId: chainIds[1], amount: '3' }]);
  expect(list({ chainId: home })).toEqual([]);
});

test('pieces go on where the one before ended, in both orders', () => {
  const channelId = openChannel(books, { chainId: home, payer: ann });
  const ids = Array.from({ length: 5 }, () => {
    makeCharge(books, { ...words, chainId: home, channelId, payer: ann });
    return collectChannels(home);
  });
  for (const order of ['asc', 'desc'] as const) {
    const found: number[] = [];
    for (let at: number | null | undefined; at !== null;) {
      const piece = table.listBookings({ order, limit: 2, payer: ann, ...(at !== undefined && { at }) });
      found.push(...piece.rows.map((row) => (JSON.parse(row) as Booking).collection));
      expect(piece.newest).toBe(ids.at(-1));
      at = piece.next;
    }
    expect(found).toEqual(order === 'asc' ? ids : ids.toReversed());
  }
});
