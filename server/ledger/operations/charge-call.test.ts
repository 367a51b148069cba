import { afterEach, beforeEach, expect, test } from 'vitest';
import { addressOfPrivateKey } from '../../../protocol/bytes/secp256k1.ts';
import { zeroAddress, zeroBytes32 } from '../../../protocol/bytes/hex.ts';
import { decodeSignedReceipt, encodeSignedReceipt } from '../../../protocol/receipt/signed-receipt.ts';
import { verifySignedReceipt } from '../../../protocol/receipt/verify-signed-receipt.ts';
import { maxAmount } from '../amount-blob.ts';
import { signedOf, someAttempt, someChannel, someCharge, someReserve, testKey, testScope } from '../ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';
import type { ChargeResult } from '../ledger.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

const signer = addressOfPrivateKey(testKey);

function reserved(quote: bigint, deposit = 1_000_000n) {
  const channel = books.run('upsertChannel', someChannel({ deposit }));
  const request = someReserve({ channelId: channel.channelId, cumulativeAmount: quote }, quote);
  books.run('reserve', request);
  return { channel, request };
}

test('charges what was metered, frees the rest and signs the receipt', () => {
  const { channel, request } = reserved(500n);
  const charge = someCharge(request.callId, 320n);
  const result = books.run('charge', charge);
  expect(result.channel).toMatchObject({ charged: 320n, reserved: 0n, sequence: 1 });
  expect(result.channel).toEqual(books.run('getChannel', channel.channelId));
  expect(result.receipt).toMatchObject({
    ...charge.receipt,
    callId: request.callId,
    admittedAtMs: request.admittedAtMs,
    payer: channel.payer,
    channelId: channel.channelId,
    sequence: 1,
    runningTotal: 320n,
    amount: 320n,
    refundOwed: 0n,
  });
  const signed = signedOf(result);
  expect(verifySignedReceipt(signed, { scope: testScope, signer })).toEqual(result.receipt);
  expect([signed.requestSalt, signed.responseSalt]).toEqual([charge.requestSalt, charge.responseSalt]);
});

test('never charges more than was reserved', () => {
  const { request } = reserved(500n);
  expect(books.run('charge', someCharge(request.callId, 501n)).receipt.amount).toBe(500n);
});

test('the whole range of amounts can be charged', () => {
  const { request } = reserved(maxAmount, maxAmount);
  const { receipt, channel } = books.run('charge', someCharge(request.callId, maxAmount));
  expect([receipt.amount, receipt.runningTotal, channel?.charged]).toEqual([maxAmount, maxAmount, maxAmount]);
});

test('sequence and running total have no gaps', () => {
  const { channel, request } = reserved(500n);
  books.run('charge', someCharge(request.callId, 100n));
  const next = someReserve({ channelId: channel.channelId, cumulativeAmount: 900n }, 400n);
  books.run('reserve', next);
  const { receipt } = books.run('charge', someCharge(next.callId, 30n));
  expect([receipt.sequence, receipt.runningTotal]).toEqual([2, 130n]);
});

test('a second charge returns the first receipt, byte for byte, and changes nothing', () => {
  const { request } = reserved(500n);
  const first = books.run('charge', someCharge(request.callId, 320n));
  const second = books.run('charge', someCharge(request.callId, 10n));
  expect(second).toEqual(first);
  expect(second.signedReceipt).toBe(first.signedReceipt);
  expect(books.stores.charges.count()).toBe(1);
});

test('a second charge in the same group does so too', () => {
  const { request } = reserved(500n);
  const other = reserved(70n).request;
  const outcomes = books.runGroup([
    { name: 'charge', argument: someCharge(other.callId, 60n) },
    { name: 'charge', argument: someCharge(request.callId, 320n) },
    { name: 'charge', argument: someCharge(request.callId, 10n) },
  ]);
  const [, first, second] = outcomes.map((outcome) => (outcome.ok ? (outcome.value as ChargeResult) : undefined));
  expect(first?.receipt.amount).toBe(320n);
  expect(second).toEqual(first);
  expect(first && signedOf(first).size).toBe(2);
});

test('a receipt is rebuilt from the books as it was given out', () => {
  const requests = Array.from({ length: 7 }, () => reserved(500n).request);
  const outcomes = books.runGroup(
    requests.map(({ callId }) => ({ name: 'charge', argument: someCharge(callId, 320n) })),
  );
  for (const [index, outcome] of outcomes.entries()) {
    if (!outcome.ok) throw new Error(outcome.error.message);
    const result = outcome.value as ChargeResult;
    const stored = books.run('getSignedReceipt', requests[index]?.callId ?? '');
    expect(stored && encodeSignedReceipt(stored)).toBe(result.signedReceipt);
    verifySignedReceipt(signedOf(result), { scope: testScope, signer });
  }
});

test('a free call has a receipt and a log entry all the same', () => {
  const request = someReserve(null, 0n);
  books.run('reserve', request);
  const { receipt, signedReceipt, channel } = books.run(
    'charge',
    someCharge(request.callId, 0n, { token: zeroAddress }),
  );
  expect(channel).toBeNull();
  expect(receipt).toMatchObject({
    payer: zeroAddress,
    channelId: zeroBytes32,
    sequence: 0,
    runningTotal: 0n,
    amount: 0n,
  });
  const signed = decodeSignedReceipt(signedReceipt);
  expect(verifySignedReceipt(signed, { scope: testScope, signer })).toEqual(receipt);
  expect(books.run('charge', someCharge(request.callId, 0n))).toEqual({
    ...{ receipt, signedReceipt, channel, payment: null },
  });
  expect(books.run('listEntries', { from: 0, limit: 5 })).toEqual([
    { index: 0, callId: request.callId, entry: new Uint8Array(signed.entry) },
  ]);
});

test('a released, an unknown and an oddly metered call are not charged', () => {
  const { channel, request } = reserved(500n);
  expect(() => books.run('charge', someCharge(request.callId, -1n))).toThrow('below zero');
  books.run('release', { callId: request.callId, reason: 'client_gone', attempts: [] });
  expect(() => books.run('charge', someCharge(request.callId, 1n))).toThrow('was released before');
  expect(() => books.run('charge', someCharge(someReserve(null, 0n).callId, 1n))).toThrow('was never reserved');
  expect(books.run('getChannel', channel.channelId)).toMatchObject({ charged: 0n, sequence: 0 });
});

test('a receipt in another token than the channel is refused', () => {
  const { request } = reserved(500n);
  expect(() => books.run('charge', someCharge(request.callId, 1n, { token: zeroAddress }))).toThrow('another token');
});

test('attempts and outcome of the call are kept', () => {
  const { request } = reserved(500n);
  const attempts = [
    someAttempt({ outcome: 'timeout', status: null, usage: null, usageKind: 'unknown' }),
    someAttempt({ number: 2 }),
  ];
  books.run('charge', { ...someCharge(request.callId, 1n), attempts });
  const kept = books.db.prepare('SELECT state, attempts FROM calls').all();
  expect(kept).toMatchObject([{ state: 'charged' }]);
  expect(JSON.parse(String(kept[0]?.['attempts']))).toEqual(attempts);
});
