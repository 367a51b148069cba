import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toHex, zeroBytes32, type Hex } from '../../../protocol/bytes/hex.ts';
import { someCharge, someDirectReserve, somePayment } from '../ledger-fixtures.ts';
import type { DirectPayment } from '../ledger.ts';
import { retriedUntilSeconds } from '../retried-until.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

const hashA: Hex = `0x${'aa'.repeat(32)}`;
const hashB: Hex = `0x${'bb'.repeat(32)}`;

/** A call of up to 400 that was charged to a payment of 1,000. */
function charged(metered: bigint, overrides: Partial<DirectPayment> = {}) {
  const payment = somePayment(overrides);
  const request = someDirectReserve(payment, 400n, { keyId: 'k1' });
  books.run('reserve', request);
  return { payment, request, result: books.run('charge', someCharge(request.callId, metered)) };
}

const stored = (paymentId: Hex) => books.run('getPayment', paymentId);

describe('what a charge takes', () => {
  test.each([
    ['eip3009', 300n, 1_000n],
    ['permit2-exact', 300n, 1_000n],
    ['permit2-upto', 300n, 300n],
    ['allowance', 300n, 300n],
    ['eip3009', 1n, 1_000n],
    ['permit2-upto', 900n, 400n],
  ] as const)('%s, metered %s: %s is taken', (kind, metered, captured) => {
    const { payment, result } = charged(metered, { kind, available: 10n ** 18n });
    const amount = metered > 400n ? 400n : metered;
    const { paymentId, payer } = payment;
    expect(result.payment).toEqual({ paymentId, captured });
    expect(result.channel).toBeNull();
    expect(result.receipt).toMatchObject({
      ...{ payer, amount, refundOwed: captured - amount, channelId: zeroBytes32, sequence: 0, runningTotal: 0n },
    });
    expect(stored(paymentId)).toMatchObject({ state: 'due', charge: amount, captured, transactionHash: null });
  });

  test('nothing is taken for nothing: no transaction is due, and nothing is owed back', () => {
    const { payment, result } = charged(0n);
    expect(result.payment).toEqual({ paymentId: payment.paymentId, captured: 0n });
    expect(result.receipt).toMatchObject({ amount: 0n, refundOwed: 0n, payer: payment.payer });
    expect(stored(payment.paymentId)).toMatchObject({ state: 'settled', captured: 0n, transactionHash: null });
    expect(books.run('listDuePayments', { limit: 9 })).toEqual([]);
    expect(books.run('openPaymentBooking', { maxPayments: 9 })).toBeUndefined();
  });

  test('a repeated charge takes nothing more, and says the same', () => {
    const { request, result } = charged(300n);
    expect(books.run('charge', someCharge(request.callId, 400n))).toEqual(result);
    expect(books.run('listDuePayments', { limit: 9 })).toHaveLength(1);
  });

  test('a receipt in another token than the payment is refused, and undone', () => {
    const payment = somePayment();
    const request = someDirectReserve(payment, 400n);
    books.run('reserve', request);
    const wrong = someCharge(request.callId, 300n, { token: `0x${'99'.repeat(20)}` });
    expect(() => books.run('charge', wrong)).toThrow('another token');
    expect(stored(payment.paymentId)?.state).toBe('reserved');
  });
});

describe('a due payment', () => {
  test('is listed with what its transaction says, the oldest first', () => {
    const [first, second] = [charged(300n), charged(200n, { kind: 'permit2-upto' })];
    const due = books.run('listDuePayments', { limit: 9 });
    expect(due).toMatchObject([
      { paymentId: first.payment.paymentId, callId: first.request.callId, charge: 300n, captured: 1_000n },
      { paymentId: second.payment.paymentId, model: 'sim-small', provider: 'simulated', payload: '{"nonce":"0x01"}' },
    ]);
    expect(due[0]?.chargedAtMs).toBe(first.result.receipt.chargedAtMs);
    expect(books.run('listDuePayments', { limit: 1 })).toHaveLength(1);
    expect(books.run('getDuePayment', first.payment.paymentId)).toEqual(due[0]);
    expect(books.run('countPayments', undefined)).toEqual({ due: 2, lost: 0 });
  });

  test('settles once, by one transaction', () => {
    const { paymentId } = charged(300n).payment;
    books.run('settlePayment', { paymentId, transactionHash: hashA });
    books.run('settlePayment', { paymentId, transactionHash: hashA });
    expect(stored(paymentId)).toMatchObject({ state: 'settled', transactionHash: hashA });
    expect(() => books.run('settlePayment', { paymentId, transactionHash: hashB })).toThrow('was settled by');
    expect(() => books.run('losePayment', { paymentId, reason: 'no' })).toThrow('it cannot become lost');
    expect(books.run('getDuePayment', paymentId)).toBeUndefined();
  });

  test('that is lost is listed until it is settled after all, or forgiven', () => {
    const [late, given] = [charged(300n).payment.paymentId, charged(200n).payment.paymentId];
    for (const paymentId of [late, given]) books.run('losePayment', { paymentId, reason: 'balance gone' });
    books.run('losePayment', { paymentId: late, reason: `still gone ${'x'.repeat(2_000)}` });
    expect(books.run('listDuePayments', { limit: 9 })).toEqual([]);
    expect(books.run('listLosses', { limit: 9 }).map((loss) => loss.paymentId)).toEqual([late, given]);
    expect(stored(late)?.lossReason).toHaveLength(1_024);
    expect(books.run('countPayments', undefined)).toEqual({ due: 0, lost: 2 });
    books.run('settlePayment', { paymentId: late, transactionHash: hashA });
    books.run('forgivePayment', given);
    books.run('forgivePayment', given);
    expect(books.run('listLosses', { limit: 9 })).toEqual([]);
    expect(stored(given)?.state).toBe('forgiven');
    expect(() => books.run('losePayment', { paymentId: given, reason: 'no' })).toThrow('it cannot become lost');
    expect(() => books.run('forgivePayment', late)).toThrow('it cannot become forgiven');
  });

  test('that is forgiven is booked and given back, where its money comes after all', () => {
    const { paymentId, payer } = charged(300n).payment;
    books.run('losePayment', { paymentId, reason: 'balance gone' });
    books.run('forgivePayment', paymentId);
    expect(books.run('openPaymentBooking', { maxPayments: 9 })).toBeUndefined();
    books.run('settlePayment', { paymentId, transactionHash: hashB });
    expect(stored(paymentId)).toMatchObject({ state: 'settled', transactionHash: hashB, captured: 1_000n });
    expect(books.run('openPaymentBooking', { maxPayments: 9 })).toMatchObject({
      spends: [{ amount: 300n }],
      refunds: [{ to: payer, amount: 700n }],
    });
    expect(() => books.run('forgivePayment', paymentId)).toThrow('it cannot become forgiven');
  });

  test('that is not due yet, or unknown, is neither settled nor lost', () => {
    const payment = somePayment();
    books.run('reserve', someDirectReserve(payment, 400n));
    const { paymentId } = payment;
    expect(() => books.run('settlePayment', { paymentId, transactionHash: hashA })).toThrow('it cannot become settled');
    expect(() => books.run('losePayment', { paymentId, reason: '' })).toThrow('it cannot become lost');
    expect(() => books.run('forgivePayment', hashA)).toThrow('has no payment');
    expect(stored(paymentId)?.state).toBe('reserved');
  });
});

describe('losses', () => {
  function lose(overrides: Partial<DirectPayment> = {}) {
    const { paymentId } = charged(300n, overrides).payment;
    books.run('losePayment', { paymentId, reason: 'balance gone' });
    return paymentId;
  }
  /** Queues a transaction for a payment; undefined leaves it without an outcome. */
  function queueFor(purpose: string, status?: 'succeeded' | 'reverted') {
    const account: Hex = `0x${'a1'.repeat(20)}`;
    const nonce = books.run('nextNonce', account) ?? 0;
    const attempt = { hash: toHex(randomBytes(32)), raw: '0x02' as const, signedAtMs: 1 };
    const queued = books.run('enqueueTransaction', { purpose, account, nonce, attempt });
    if (queued !== undefined && status !== undefined) books.run('finishTransaction', { id: queued.id, status });
  }
  test('are listed page by page, in the order of their charges', () => {
    const lost = [lose(), lose(), lose(), lose(), lose()];
    const pages: Hex[][] = [];
    for (let after: Hex | undefined; pages.length < 3; after = pages.at(-1)?.at(-1)) {
      const page = books.run('listLosses', { ...(after !== undefined && { after }), limit: 2 });
      pages.push(page.map(({ paymentId }) => paymentId));
      // A page goes on behind a payment that is no loss any more.
      if (pages.length === 1) books.run('forgivePayment', lost[1] ?? hashA);
    }
    expect(pages).toEqual([lost.slice(0, 2), lost.slice(2, 4), lost.slice(4)]);
    expect(books.run('listLosses', { after: hashA, limit: 9 })).toEqual([]);
  });

  test('that have ended are not listed to be tried again', () => {
    const ends = 4_000_000_000;
    const never = lose({ kind: 'allowance', available: 10n ** 18n, validBefore: null });
    const [late, soon] = [lose({ validBefore: ends }), lose({ validBefore: 1_000 })];
    const given = lose({ validBefore: ends });
    books.run('forgivePayment', given);
    const { chargedAtMs } = books.run('getDuePayment', never) ?? { chargedAtMs: 0 };
    const month = retriedUntilSeconds({ validBefore: null, chargedAtMs });
    const at = (nowSeconds: number, page: { after?: Hex; limit: number } = { limit: 9 }) =>
      books.run('listRetriedLosses', { nowSeconds, ...page });
    expect(at(999)).toEqual([never, late, soon].toSorted());
    expect(at(1_000)).toEqual([never, late].toSorted());
    expect(at(month - 1)).toEqual([never, late].toSorted());
    expect(at(month)).toEqual([]);
    const [first, ...others] = at(999);
    expect(at(999, { limit: 1 })).toEqual([first]);
    expect(at(999, { after: first ?? hashA, limit: 9 })).toEqual(others);
  });

  test('and forgiven payments whose transaction may bring their money are listed', () => {
    const [signed, succeeded, reverted, none] = [lose(), lose(), lose(), lose()];
    const [given, settled] = [lose(), lose()];
    queueFor(`pay:${signed}`);
    queueFor(`attribute:${succeeded}`, 'succeeded');
    queueFor(`pay:${reverted}`, 'reverted');
    queueFor(`pay:${given}`, 'succeeded');
    queueFor(`pay:${settled}`, 'succeeded');
    books.run('forgivePayment', given);
    books.run('settlePayment', { paymentId: settled, transactionHash: hashA });
    const listed = books.run('listCarriedPayments', { limit: 9 });
    expect(listed).toEqual([signed, succeeded, given].toSorted());
    expect(listed).not.toContain(none);
    const [first, ...others] = listed;
    expect(books.run('listCarriedPayments', { limit: 1 })).toEqual([first]);
    expect(books.run('listCarriedPayments', { after: first ?? hashA, limit: 9 })).toEqual(others);
  });
});

test.each([
  ['charge above what is taken', `charge = x'000000000000000000000000000003e9'`],
  [
    'takes more than was signed',
    `captured = x'000000000000000000000000000003e9', maximum = x'000000000000000000000000000003e8'`,
  ],
  ['takes less than a fixed price', `captured = x'0000000000000000000000000000012c'`],
  ['is due for nothing', `charge = zeroblob(16), captured = zeroblob(16)`],
  ['is settled without a transaction', `state = 'settled'`],
  ['is due with a transaction', `transaction_hash = zeroblob(32)`],
  ['is lost for no reason', `state = 'lost'`],
  ['is reserved and charged', `state = 'reserved'`],
  ['is booked before it is settled', `collection_id = 1`],
])('the file refuses a payment that %s', (_name, change) => {
  charged(300n);
  expect(() => books.db.exec(`UPDATE direct_payments SET ${change}`)).toThrow('constraint failed');
});
