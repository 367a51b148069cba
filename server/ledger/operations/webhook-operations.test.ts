import { afterEach, beforeEach, expect, test } from 'vitest';
import { someCharge, someReserve } from '../ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';
import { maxWaitingDeliveries } from '../webhook-ledger.ts';

const url = 'https://receiver.example/r';
const nowMs = 1_000;
let books: TestBooks;

beforeEach(() => {
  books = openTestBooks();
  books.run('openWebhook', url);
});
afterEach(() => books.close());

function chargeSome(count: number): void {
  const calls = Array.from({ length: count }, () => someReserve(null, 0n));
  books.runGroup(calls.map((argument) => ({ name: 'reserve', argument })));
  books.runGroup(calls.map(({ callId }) => ({ name: 'charge', argument: someCharge(callId, 0n) })));
}

const dueAt = (atMs: number, limit = 4) =>
  books.run('listDueDeliveries', { url, nowMs: atMs, limit }).deliveries.map(({ index }) => index);
const fail = (index: number, nextAtMs: number | null) => ({ index, failure: { reason: 'no', nextAtMs } });
const took = (index: number) => ({ index, failure: null });

test('what is not recorded is due again, what was delivered is not, and what failed is when its time has come', () => {
  chargeSome(3);
  expect([dueAt(nowMs), dueAt(nowMs)]).toEqual([
    [0, 1, 2],
    [0, 1, 2],
  ]);
  books.run('recordDeliveries', { url, results: [took(2), fail(0, 5_000), fail(1, null)] });
  expect([dueAt(4_999), dueAt(5_000)]).toEqual([[], [0]]);
  expect(books.run('readWebhookProgress', [url])).toEqual([{ url, behind: 0, waiting: 1, dead: 1 }]);
  books.run('recordDeliveries', { url, results: [took(0)] });
  expect(books.run('listFailedDeliveries', { limit: 10 })).toMatchObject([
    { url, index: 1, attempts: 1, nextAtMs: null },
  ]);
  expect(books.run('retryDeliveries', { url, nowMs, after: -1, limit: 9 })).toEqual({ count: 1, last: 1 });
  expect(books.run('retryDeliveries', { url, nowMs, after: 1, limit: 9 })).toEqual({ count: 0, last: null });
  expect(dueAt(nowMs)).toEqual([1]);
});

test('what failed and what is new share the room, whichever is more', () => {
  chargeSome(6);
  books.run('recordDeliveries', { url, results: [0, 1, 2].map((index) => fail(index, 0)) });
  // Three failed, three are new.
  expect(dueAt(nowMs, 4)).toEqual([0, 1, 3, 4]);
  expect(dueAt(nowMs, 6)).toEqual([0, 1, 2, 3, 4, 5]);
  books.run('recordDeliveries', { url, results: [3, 4].map((index) => fail(index, 0)) });
  expect(dueAt(nowMs, 4)).toEqual([0, 1, 2, 5]);
});

test('a webhook begins with the receipts after it, and goes on where it was', () => {
  chargeSome(2);
  books.run('openWebhook', url);
  books.run('openWebhook', `${url}2`);
  expect(dueAt(nowMs)).toEqual([0, 1]);
  expect(books.run('listDueDeliveries', { url: `${url}2`, nowMs, limit: 4 })).toEqual({
    deliveries: [],
    isFull: false,
  });
});

test('what failed is made due some at a time', () => {
  chargeSome(5);
  books.run('recordDeliveries', { url, results: [0, 2, 3, 4].map((index) => fail(index, null)) });
  const retry = (after: number) => books.run('retryDeliveries', { url, nowMs, after, limit: 2 });
  expect([retry(-1), retry(2), retry(4)]).toEqual([
    { count: 2, last: 2 },
    { count: 2, last: 4 },
    { count: 0, last: null },
  ]);
  expect(dueAt(nowMs)).toEqual([0, 2, 3, 4]);
});

test('where too many wait, new ones are left to the log', () => {
  chargeSome(3);
  books.run('recordDeliveries', { url, results: [fail(0, 9_000)] });
  expect(dueAt(nowMs)).toEqual([1, 2]);
  // As many as may wait, made directly: receipts by the thousand would take long.
  books.db.exec('PRAGMA foreign_keys = OFF');
  const insert = books.db.prepare('INSERT INTO webhook_deliveries VALUES (?, ?, 1, 9000, ?)');
  books.db.exec('BEGIN');
  for (let index = 1; index < maxWaitingDeliveries; index += 1) insert.run(url, 1_000 + index, 'no');
  books.db.exec('COMMIT');
  expect(books.run('listDueDeliveries', { url, nowMs, limit: 4 })).toEqual({ deliveries: [], isFull: true });
  // Those that were made directly have no receipt.
  expect(books.run('listWaitingDeliveries', { url, limit: 4 }).map(({ index }) => index)).toEqual([0]);
  books.run('recordDeliveries', { url, results: [took(0)] });
  expect(dueAt(nowMs)).toEqual([1, 2]);
});
