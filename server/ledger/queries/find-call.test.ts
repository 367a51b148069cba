import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { createCallId } from '../../../protocol/receipt/call-id.ts';
import { decodeSignedReceipt } from '../../../protocol/receipt/signed-receipt.ts';
import { someCharge, someDirectReserve, somePayment } from '../ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';
import { createQuestionTable, type QuestionTable } from './create-question-table.ts';
import { chainIds, makeCharge, openChannel } from './query-fixtures.ts';

const payer: Hex = `0x${'a1'.repeat(20)}`;
const hash = (byte: string): Hex => `0x${byte.repeat(32)}`;
const home = chainIds[0];
const words = { keyId: 'key_1', model: 'sim-small', provider: 'simulated' };

let books: TestBooks;
let table: QuestionTable;
beforeEach(() => {
  books = openTestBooks();
  table = createQuestionTable(books.db);
});
afterEach(() => books.close());

function find(callId: string) {
  const found = table.findCall(callId);
  if (!found) throw new Error(`${callId} is not found`);
  return { ...found, answer: JSON.parse(found.json) as Record<string, unknown> & { signedReceipt: string } };
}

test('a call is told with its receipt, salts included, and whose it is', () => {
  const channelId = openChannel(books, { chainId: home, payer });
  makeCharge(books, { ...words, chainId: home, channelId, payer });
  const { receipt } = makeCharge(books, { ...words, chainId: home, channelId, payer });
  const { answer, ...owner } = find(receipt.callId);
  expect(owner).toMatchObject({ chainId: home, payer, keyId: 'key_1' });
  expect(answer).toMatchObject({ callId: receipt.callId, index: 1, amount: '3', receipt: { runningTotal: '6' } });
  const signed = books.run('getSignedReceipt', receipt.callId);
  expect(decodeSignedReceipt(answer.signedReceipt)).toMatchObject({ size: signed?.size, index: signed?.index });
  expect(Buffer.from(decodeSignedReceipt(answer.signedReceipt).requestSalt)).toEqual(
    Buffer.from(signed?.requestSalt ?? []),
  );
  expect(table.findLeaf({ callId: receipt.callId })).toMatchObject({ index: 1 });
  const { text, count } = table.listEntries({ from: 1, limit: 5 });
  expect([count, JSON.parse(text)]).toMatchObject([1, { index: 1, callId: receipt.callId, receipt: { amount: '3' } }]);
});

test('it says how far log and money are, step by step', () => {
  const channelId = openChannel(books, { chainId: home, payer });
  const { receipt } = makeCharge(books, { ...words, chainId: home, channelId, payer });
  const told = () => find(receipt.callId).answer;
  expect(told()).toMatchObject({
    log: { index: 0, checkpoint: null, block: null, anchors: [] },
    booking: { collection: null, state: 'uncollected', transactionHash: null, batchId: null },
  });

  books.db
    .prepare('INSERT INTO checkpoints (size, root, signed_at_ms, note) VALUES (1, ?, 1700000000000, ?)')
    .run(Buffer.alloc(32), 'a note');
  const block = { start: 0, size: 1, cid: 'bafy', root: Buffer.alloc(32), frontier: [Buffer.alloc(32)] };
  books.stores.log.insertBlock(block);
  books.stores.log.insertAnchor({ size: 1, transactionHash: hash('0a') });
  const id = books.run('openCollection', { maxClaims: 1 })?.id ?? 0;
  expect(told()).toMatchObject({
    log: {
      checkpoint: { size: 1, signedAt: '2023-11-14T22:13:20.000Z' },
      block: { cid: 'bafy', start: 0, size: 1 },
      anchors: [{ chainId: home, size: 1, transactionHash: hash('0a') }],
    },
    booking: { collection: id, state: 'open' },
  });

  books.run('finishCollection', { id, transactionHash: hash('01'), skipped: [] });
  books.run('finishBooking', { collectionId: id, batchId: 9n, transactionHash: hash('02') });
  expect(told()['booking']).toEqual({
    ...{ collection: id, state: 'booked', transactionHash: hash('01') },
    ...{ batchId: '9', bookingTransactionHash: hash('02') },
  });
});

test('of a payment of its own, the payment is told', () => {
  const payment = somePayment({ payer });
  const request = someDirectReserve(payment, 900n);
  books.run('reserve', request);
  books.run('charge', someCharge(request.callId, 400n));
  expect(find(request.callId).answer).toMatchObject({
    payment: { paymentId: payment.paymentId, kind: 'eip3009', state: 'due', captured: '1000' },
    booking: { collection: null, state: 'due' },
  });
  books.run('settlePayment', { paymentId: payment.paymentId, transactionHash: hash('05') });
  const collection = books.run('openPaymentBooking', { maxPayments: 1 })?.collectionId;
  expect(find(request.callId).answer['booking']).toMatchObject({
    ...{ collection, state: 'collected', transactionHash: hash('05'), batchId: null },
  });
});

test('a free call has no money to tell of, and what is no call is not found', () => {
  const { receipt } = makeCharge(books, { ...words, chainId: home, channelId: null, payer: null });
  const { answer, ...owner } = find(receipt.callId);
  expect(owner.payer).toBeNull();
  expect(answer).toMatchObject({ amount: '0', payer: null, payment: null, booking: null });
  for (const none of [createCallId(), 'x', '']) {
    expect(table.findCall(none)).toBeUndefined();
    expect(table.findLeaf({ callId: none })).toBeUndefined();
  }
});
