import { afterEach, beforeEach, expect, test } from 'vitest';
import { someChannel, someCharge, someDirectReserve, someKey, somePayment, someReserve } from '../ledger-fixtures.ts';
import { createAnswerStore } from '../answer-store.ts';
import { answersKeptMs, type ReserveRequest, type StoredAnswer } from '../ledger.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
let channelId: `0x${string}`;
beforeEach(() => {
  books = openTestBooks();
  ({ channelId } = books.run('upsertChannel', someChannel()));
});
afterEach(() => books.close());

const answer: StoredAnswer = {
  contentType: 'application/json',
  headers: { 'x-autopay-receipt': 'abc' },
  body: Uint8Array.from([123, 0, 255]),
};

function reserve(cumulativeAmount: bigint, idempotency = someKey(), overrides: Partial<ReserveRequest> = {}) {
  const request = someReserve({ channelId, cumulativeAmount }, 100n, { idempotency, ...overrides });
  return { request, decision: books.run('reserve', request) };
}

test('the same request is told of the first call, while it runs and when it is charged, and uses nothing up', () => {
  const { request, decision } = reserve(500n);
  expect(decision.ok).toBe(true);
  const before = books.run('getChannel', channelId);
  const usedByCallId = request.callId;
  // With another voucher, or the same: the key comes first.
  for (const cumulative of [500n, 900n]) {
    expect(reserve(cumulative).decision).toMatchObject({
      refusal: { code: 'idempotent_repeat', usedByCallId, usedByState: 'reserved' },
    });
  }
  expect(books.run('findAnswer', usedByCallId)).toEqual({ state: 'reserved', answer: null, result: null });
  expect(books.run('getChannel', channelId)).toEqual(before);
  const result = books.run('charge', { ...someCharge(usedByCallId, 60n), answer });
  expect(reserve(500n).decision).toMatchObject({
    refusal: { code: 'idempotent_repeat', usedByCallId, usedByState: 'charged' },
  });
  expect(books.run('findAnswer', usedByCallId)).toEqual({ state: 'charged', answer, result });
  expect(books.run('getChannel', channelId)).toMatchObject({ charged: 60n, reserved: 0n, acceptedCumulative: 500n });
});

test('another body under the same key is refused; another scope is another key', () => {
  const { request } = reserve(500n);
  expect(reserve(600n, someKey('one', 'b')).decision).toMatchObject({
    refusal: { code: 'idempotency_mismatch', usedByCallId: request.callId },
  });
  expect(reserve(600n, someKey('one', 'b', 'another')).decision.ok).toBe(true);
});

test('the key says what it stands for', () => {
  expect(books.run('findRepeat', someKey())).toBeUndefined();
  const { callId } = reserve(500n).request;
  expect(books.run('findRepeat', someKey())).toEqual({ callId, state: 'reserved', isSame: true });
  books.run('charge', someCharge(callId, 60n));
  expect(books.run('findRepeat', someKey('one', 'b'))).toEqual({ callId, state: 'charged', isSame: false });
  expect(() => books.run('findRepeat', someKey(''))).toThrow('1 to 256');
  expect(() => books.run('findRepeat', someKey('k'.repeat(257)))).toThrow('1 to 256');
  expect(() => books.run('findRepeat', someKey('k', 'a', 's'.repeat(129)))).toThrow('1 to 128');
});

test('a released call frees its key and, for the same key and body, its voucher', () => {
  const { request } = reserve(500n);
  const release = (callId: string) => books.run('release', { callId, reason: 'upstream_error', attempts: [] });
  release(request.callId);
  expect(books.run('findRepeat', someKey())).toBeUndefined();
  const used = { refusal: { code: 'voucher_already_used', usedByCallId: request.callId } };
  expect(books.run('reserve', someReserve({ channelId, cumulativeAmount: 500n }, 1n))).toMatchObject(used);
  expect(reserve(500n, someKey('one', 'b')).decision).toMatchObject(used);
  expect(reserve(500n, someKey('two')).decision).toMatchObject(used);
  const second = reserve(500n);
  expect(second.decision.ok).toBe(true);
  release(second.request.callId);
  const third = reserve(500n);
  expect(third.decision.ok).toBe(true);
  books.run('charge', someCharge(third.request.callId, 60n));
  expect(reserve(500n).decision).toMatchObject({ refusal: { code: 'idempotent_repeat' } });
  expect(reserve(500n, someKey('two')).decision).toMatchObject({ refusal: { usedByCallId: third.request.callId } });
  expect(books.run('getChannel', channelId)).toMatchObject({ charged: 60n, reserved: 0n });
});

test('a refused request leaves its key free', () => {
  expect(reserve(50n).decision).toMatchObject({ refusal: { code: 'insufficient_headroom' } });
  expect(reserve(500n).decision.ok).toBe(true);
});

test('a direct payment keeps its answer without a key; a voucher without one does not', () => {
  const direct = someDirectReserve(somePayment(), 400n);
  const voucher = someReserve({ channelId, cumulativeAmount: 500n }, 100n);
  for (const { callId } of [direct, voucher]) {
    books.run('reserve', callId === direct.callId ? direct : voucher);
    books.run('charge', { ...someCharge(callId, 60n), answer });
  }
  expect(books.run('findAnswer', direct.callId)?.answer).toEqual(answer);
  expect(books.run('findAnswer', voucher.callId)).toMatchObject({ state: 'charged', answer: null });
  expect(books.run('findAnswer', someReserve(null, 0n).callId)).toBeUndefined();
});

test('a free call can be repeated too', () => {
  const request = someReserve(null, 0n, { idempotency: someKey() });
  books.run('reserve', request);
  const again = someReserve(null, 0n, { idempotency: someKey() });
  expect(books.run('reserve', again)).toMatchObject({
    refusal: { code: 'idempotent_repeat', usedByCallId: request.callId },
  });
});

test('charge and question in one group: the answer has the receipt of that group', () => {
  const { callId } = reserve(500n).request;
  const [charged, found] = books.runGroup([
    { name: 'charge', argument: { ...someCharge(callId, 60n), answer } },
    { name: 'findAnswer', argument: callId },
  ]);
  expect(found).toEqual({ ok: true, value: { state: 'charged', answer, result: charged?.ok && charged.value } });
});

test('the oldest answers are forgotten where all are too many bytes, their keys and charges are not', () => {
  const key = (index: number) => someKey(`k${index}`);
  const requests = Array.from({ length: 6 }, (_, at) => {
    const request = someReserve(null, 0n, { idempotency: key(at), admittedAtMs: 1_000_000 + at });
    books.run('reserve', request);
    books.run('charge', { ...someCharge(request.callId, 0n), answer: { ...answer, body: new Uint8Array(1_000) } });
    return request;
  });
  const kept = () => requests.map(({ callId }) => books.run('findAnswer', callId)?.answer !== null);
  expect(books.run('forgetAnswers', 0)).toBe(0);
  const headers = Buffer.byteLength(JSON.stringify(answer.headers));
  const store = createAnswerStore(books.db, { maxBytes: 3 * (1_000 + headers) });
  expect([store.forget(0, 2), kept()]).toEqual([2, [false, false, true, true, true, true]]);
  expect([store.forget(0, 50), kept()]).toEqual([1, [false, false, false, true, true, true]]);
  expect(store.forget(0, 50)).toBe(0);
  // What was forgotten leaves room; what is charged anew takes it.
  expect(createAnswerStore(books.db, { maxBytes: 3 * (1_000 + headers) - 1 }).forget(0, 50)).toBe(1);
  expect(books.run('findRepeat', key(0))).toMatchObject({ callId: requests[0]?.callId, state: 'charged' });
});

test('keys and answers are forgotten after their time, the charge is not', () => {
  const { request } = reserve(500n);
  books.run('charge', { ...someCharge(request.callId, 60n), answer });
  const until = request.admittedAtMs + answersKeptMs;
  expect(books.run('forgetAnswers', until)).toBe(0);
  expect(books.run('findAnswer', request.callId)?.answer).toEqual(answer);
  expect(books.run('forgetAnswers', until + 1)).toBe(2);
  expect(books.run('findAnswer', request.callId)).toMatchObject({ state: 'charged', answer: null });
  expect(books.run('findRepeat', someKey())).toBeUndefined();
  expect(reserve(500n).decision).toMatchObject({ refusal: { code: 'voucher_already_used' } });
});
