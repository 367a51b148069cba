import { serialize } from 'node:v8';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { someChannel, someCharge, someReserve } from './ledger-fixtures.ts';
import { packCharge, packResult, unpackCharge, unpackResult } from './pack-charge.ts';
import { openTestBooks, type TestBooks } from './test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

/** A call that is reserved, and the charge that is due. */
function prepare() {
  const { channelId } = books.run('upsertChannel', someChannel());
  const request = someReserve({ channelId, cumulativeAmount: 500n }, 500n);
  books.run('reserve', request);
  // Of Node's pool, as in calls.
  return {
    ...someCharge(request.callId, 320n),
    requestSalt: Buffer.from('a'.repeat(32)),
    responseSalt: Buffer.alloc(32, 255),
  };
}

test('a charge arrives as it was sent', () => {
  const answer = { contentType: 'application/json', headers: { a: 'b' }, body: Buffer.from([0, 1, 255]) };
  for (const charge of [prepare(), { ...prepare(), answer }]) {
    const arrived = unpackCharge(structuredClone(packCharge(charge)));
    expect(arrived).toEqual({ ...charge, answer: charge.answer && { ...answer, body: new Uint8Array(answer.body) } });
  }
});

test('its result comes back whole, of a second charge too', () => {
  const charge = prepare();
  const result = books.run('charge', charge);
  expect(unpackResult(charge, structuredClone(packResult(charge, result)))).toEqual(result);
  // Who charges again may have metered something else: the first receipt is what counts.
  const again = { ...charge, receipt: { ...charge.receipt, usageKind: 'estimated' as const, modelServed: 'other' } };
  expect(unpackResult(again, structuredClone(packResult(again, result)))).toEqual(result);
});

test('what crosses is small: no pool of Node’s, and nothing twice', () => {
  const charge = { ...prepare(), answer: { contentType: 'a', headers: {}, body: Buffer.from('b') } };
  const packed = packCharge(charge);
  expect(packed.answer?.body.buffer.byteLength).toBe(1);
  expect(serialize(packed).length).toBeLessThan(1_800);
  const { receipt, ...told } = books.run('charge', charge);
  // The test's books clone what they are given; the writer's receipt has the request's own object.
  const { receipt: crossing } = packResult(charge, { ...told, receipt: { ...receipt, usage: charge.receipt.usage } });
  const added = ['admittedAtMs', 'amount', 'callId', 'channelId', 'chargedAtMs', 'payer', 'refundOwed', 'runningTotal'];
  expect(Object.keys(crossing).sort()).toEqual([...added, 'sequence', 'version']);
});
