import { afterEach, beforeEach, expect, test } from 'vitest';
import { someAttempt, someChannel, someCharge, someReserve } from '../ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

function reserved(leaseUntilMs = 1000) {
  const { channelId } = books.run('upsertChannel', someChannel());
  const request = someReserve({ channelId, cumulativeAmount: 500n }, 400n, { leaseUntilMs });
  books.run('reserve', request);
  return { channelId, callId: request.callId };
}

function stateOf(callId: string): unknown {
  const row = books.db
    .prepare('SELECT state, release_reason AS reason FROM calls WHERE call_id = ?')
    .get(Buffer.from(callId.replaceAll('-', ''), 'hex'));
  return row && { ...row };
}

test('gives the quote back and keeps reason and attempts', () => {
  const { channelId, callId } = reserved();
  const attempts = [someAttempt({ outcome: 'refused', status: 400, usage: null, usageKind: 'unknown' })];
  books.run('release', { callId, reason: 'upstream_error', attempts });
  expect(books.run('getChannel', channelId)).toMatchObject({ reserved: 0n, charged: 0n, acceptedCumulative: 500n });
  expect(stateOf(callId)).toEqual({ state: 'released', reason: 'upstream_error' });
  const [kept] = books.db.prepare('SELECT attempts FROM calls').all();
  expect(JSON.parse(String(kept?.['attempts']))).toEqual(attempts);
});

test('has no effect on a call that has ended or never was', () => {
  const released = reserved();
  books.run('release', { callId: released.callId, reason: 'client_gone', attempts: [] });
  books.run('release', { callId: released.callId, reason: 'upstream_error', attempts: [someAttempt()] });
  expect(stateOf(released.callId)).toEqual({ state: 'released', reason: 'client_gone' });
  expect(books.run('getChannel', released.channelId)?.reserved).toBe(0n);

  const charged = reserved();
  books.run('charge', someCharge(charged.callId, 5n));
  books.run('release', { callId: charged.callId, reason: 'client_gone', attempts: [] });
  expect(stateOf(charged.callId)).toEqual({ state: 'charged', reason: null });

  const unknown = someReserve(null, 0n).callId;
  books.run('release', { callId: unknown, reason: 'client_gone', attempts: [] });
  expect(stateOf(unknown)).toBeUndefined();
});

test('a sweep frees lapsed leases only', () => {
  const lapsed = reserved(999);
  const alive = reserved(1000);
  expect(books.run('sweep', { leaseBeforeMs: 1000, nowMs: 1000 })).toBe(1);
  expect(stateOf(lapsed.callId)).toEqual({ state: 'released', reason: 'crashed' });
  expect(stateOf(alive.callId)).toMatchObject({ state: 'reserved' });
  expect(books.run('getChannel', lapsed.channelId)?.reserved).toBe(0n);
  expect(books.run('getChannel', alive.channelId)?.reserved).toBe(400n);
  expect(books.run('sweep', { leaseBeforeMs: 1000, nowMs: 1000 })).toBe(0);
});
