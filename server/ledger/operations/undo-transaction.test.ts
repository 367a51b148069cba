import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toHex, type Hex } from '../../../protocol/bytes/hex.ts';
import { someChannel, someCharge, someDirectReserve, somePayment, someReserve } from '../ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
let nonce = 0;
beforeEach(() => {
  books = openTestBooks();
  nonce = 0;
});
afterEach(() => books.close());

/** A transaction that succeeded; `undo` is what the chain says of it in the end. */
function succeed(purpose: string) {
  const attempt = { hash: toHex(randomBytes(32)), raw: toHex(randomBytes(100)), signedAtMs: 1 };
  const account: Hex = `0x${'a1'.repeat(20)}`;
  const queued = books.run('enqueueTransaction', { purpose, account, nonce: nonce++, attempt });
  const id = queued?.id ?? 0;
  books.run('finishTransaction', { id, status: 'succeeded' });
  return { transactionHash: attempt.hash, undo: () => books.run('finishTransaction', { id, status: 'reverted' }) };
}

function settlePayment() {
  const payment = somePayment();
  const { paymentId } = payment;
  const request = someDirectReserve(payment, 400n);
  books.run('reserve', request);
  books.run('charge', someCharge(request.callId, 300n));
  const { transactionHash, undo } = succeed(`pay:${paymentId}`);
  books.run('settlePayment', { paymentId, transactionHash });
  return { paymentId, undo, stateOf: () => books.run('getPayment', paymentId)?.state };
}

function book(collectionId: number) {
  const booking = succeed(`book:${collectionId}`);
  books.run('finishBooking', { collectionId, batchId: 5n, transactionHash: booking.transactionHash });
  return booking;
}

const stateOf = (collectionId: number) =>
  books.db.prepare('SELECT state FROM collections WHERE collection_id = ?').get(collectionId)?.['state'];

test('an anchor that came to nothing is none, and the log is anchored again', () => {
  const request = someReserve(null, 0n);
  books.run('reserve', request);
  books.run('charge', someCharge(request.callId, 0n));
  const [root, frontier] = [Buffer.alloc(32, 1), [Buffer.alloc(32, 1)]];
  books.run('addBlock', { start: 0, size: 1, cid: 'bafy', root, frontier });
  const anchor = succeed('anchor:1');
  books.run('recordAnchor', { size: 1, transactionHash: anchor.transactionHash });
  expect(books.run('anchoredSize', undefined)).toBe(1);
  anchor.undo();
  expect(books.run('anchoredSize', undefined)).toBe(0);
  expect(books.run('findAnchorOf', 0)).toBeUndefined();
  books.run('recordAnchor', { size: 1, transactionHash: succeed('anchor:1').transactionHash });
  expect(books.run('anchoredSize', undefined)).toBe(1);
});

describe('a settlement that came to nothing', () => {
  test('is due again, and may be settled by another transaction', () => {
    const { paymentId, stateOf: state, undo } = settlePayment();
    undo();
    expect(state()).toBe('due');
    expect(books.run('listDuePayments', { limit: 9 })).toMatchObject([{ paymentId, transactionHash: null }]);
    expect(books.run('openPaymentBooking', { maxPayments: 9 })).toBeUndefined();
    books.run('settlePayment', { paymentId, transactionHash: succeed(`pay:${paymentId}`).transactionHash });
    expect(state()).toBe('settled');
  });

  test('of a payment that was lost before leaves it lost', () => {
    const payment = somePayment();
    const { paymentId } = payment;
    const request = someDirectReserve(payment, 400n);
    books.run('reserve', request);
    books.run('charge', someCharge(request.callId, 300n));
    books.run('losePayment', { paymentId, reason: 'empty' });
    const { transactionHash, undo } = succeed(`attribute:${paymentId}`);
    books.run('settlePayment', { paymentId, transactionHash });
    undo();
    expect(books.run('getPayment', paymentId)).toMatchObject({ state: 'lost', lossReason: 'empty' });
    expect(books.run('reserve', someDirectReserve(somePayment({ payer: payment.payer }), 1n)).ok).toBe(false);
  });

  test('that is not the one that settled it changes nothing', () => {
    const payment = settlePayment();
    const other = succeed(`attribute:${payment.paymentId}`);
    other.undo();
    expect(payment.stateOf()).toBe('settled');
  });

  test('leaves the collection that waits to be booked, which is over if it was alone there', () => {
    const [first, second] = [settlePayment(), settlePayment()];
    const { collectionId } = books.run('openPaymentBooking', { maxPayments: 9 }) ?? { collectionId: 0 };
    first.undo();
    expect(books.run('listPendingBookings', {})).toMatchObject([{ collectionId, spends: [{ amount: 300n }] }]);
    second.undo();
    expect(books.run('listPendingBookings', {})).toEqual([]);
    expect(books.run('listDuePayments', { limit: 9 })).toHaveLength(2);
  });

  test('that is booked stays booked, until the booking came to nothing too', () => {
    const payment = settlePayment();
    const { collectionId } = books.run('openPaymentBooking', { maxPayments: 9 }) ?? { collectionId: 0 };
    const booking = book(collectionId);
    payment.undo();
    expect([payment.stateOf(), stateOf(collectionId)]).toEqual(['settled', 'booked']);
    booking.undo();
    expect(payment.stateOf()).toBe('due');
    expect(books.run('listPendingBookings', {})).toEqual([]);
  });
});

describe('a collection that came to nothing', () => {
  function charge(channelId: Hex, cumulativeAmount: bigint, amount: bigint): void {
    const request = someReserve({ channelId, cumulativeAmount }, amount);
    books.run('reserve', request);
    books.run('charge', someCharge(request.callId, amount));
  }

  function collect(skipped: Hex[] = []) {
    const id = books.run('openCollection', { maxClaims: 9 })?.id ?? 0;
    const taken = succeed(`collect:${id}`);
    books.run('finishCollection', { id, transactionHash: taken.transactionHash, skipped });
    return { id, ...taken };
  }

  test('is given up, and what it was for is collected by another', () => {
    const { channelId } = books.run('upsertChannel', someChannel());
    charge(channelId, 500n, 60n);
    const first = collect();
    expect(books.run('getChannel', channelId)?.settled).toBe(60n);
    first.undo();
    expect(stateOf(first.id)).toBe('abandoned');
    expect(books.run('getChannel', channelId)?.settled).toBe(0n);
    expect(books.run('openCollection', { maxClaims: 9 })?.claims).toMatchObject([{ claimed: 60n }]);
  });

  test('stands where a later one took as much: claims are cumulative', () => {
    const covered = books.run('upsertChannel', someChannel()).channelId;
    const open = books.run('upsertChannel', someChannel()).channelId;
    charge(covered, 500n, 60n);
    charge(open, 500n, 7n);
    const first = collect();
    charge(covered, 600n, 40n);
    const second = collect();
    first.undo();
    expect([first, second].map(({ id }) => stateOf(id))).toEqual(['collected', 'collected']);
    expect(books.run('listPendingBookings', {})).toMatchObject([
      { collectionId: first.id, spends: [{ amount: 60n }] },
      { collectionId: second.id, spends: [{ amount: 40n }] },
    ]);
    expect(books.run('getChannel', covered)?.settled).toBe(100n);
    expect(books.run('openCollection', { maxClaims: 9 })?.claims).toMatchObject([
      { channel: { channelId: open }, claimed: 7n },
    ]);
  });

  test('that is booked is given up with its booking; a booking alone waits to be repeated', () => {
    const { channelId } = books.run('upsertChannel', someChannel());
    charge(channelId, 500n, 60n);
    const first = collect();
    book(first.id).undo();
    expect(books.run('listPendingBookings', {})).toMatchObject([{ collectionId: first.id }]);
    const again = book(first.id);
    first.undo();
    expect(stateOf(first.id)).toBe('booked');
    again.undo();
    expect(stateOf(first.id)).toBe('abandoned');
    expect(books.run('openCollection', { maxClaims: 9 })?.claims).toMatchObject([{ claimed: 60n }]);
  });
});

test('what else is sent leaves nothing to take back', () => {
  succeed('anchor:8').undo();
  succeed('fill:0xaa:3').undo();
  succeed('collect:99').undo();
  expect(books.run('listDuePayments', { limit: 9 })).toEqual([]);
});
