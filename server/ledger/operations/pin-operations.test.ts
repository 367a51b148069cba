import { afterEach, beforeEach, expect, test } from 'vitest';
import { someCharge, someReserve } from '../ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

const keeper = 'node';
let books: TestBooks;

beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

/** Blocks of one entry each. */
function addBlocks(from: number, to: number): void {
  for (let start = from; start < to; start += 1) {
    const { callId, ...rest } = someReserve(null, 0n);
    books.run('reserve', { callId, ...rest });
    books.run('charge', someCharge(callId, 0n));
    const hash = new Uint8Array(32).fill(start);
    books.run('addBlock', { start, size: start + 1, cid: `bafy${start}`, root: hash, frontier: [] });
  }
}

const dueAt = (nowMs: number, limit = 4) => books.run('listDuePins', { keeper, nowMs, limit });
const startsAt = (nowMs: number, limit = 4) => dueAt(nowMs, limit).map(({ start }) => start);
const pinned = (start: number, nextAtMs = 9_000) =>
  books.run('recordPin', { keeper, start, state: 'pinned', attempts: 0, nextAtMs, failure: null });
const failed = (start: number, attempts: number, nextAtMs: number) =>
  books.run('recordPin', { keeper, start, state: 'queued', attempts, nextAtMs, failure: 'x'.repeat(300) });
const progress = () => books.run('readPinProgress', [keeper])[0];

test('blocks are due in the order of the log, once; failures when their time has come; pinned ones to be looked after', () => {
  expect(progress()).toEqual({ keeper, waiting: 0, pinnedSize: 0 });
  addBlocks(0, 3);
  expect(dueAt(0)[0]).toEqual({
    ...{ start: 0, size: 1, cid: 'bafy0', state: 'queued', requestId: null, attempts: 0, nextAtMs: 0 },
  });
  expect([startsAt(0), startsAt(0, 2)]).toEqual([
    [0, 1, 2],
    [0, 1],
  ]);
  pinned(0);
  failed(1, 1, 500);
  pinned(2);
  expect(progress()).toEqual({ keeper, waiting: 1, pinnedSize: 1 });
  expect([startsAt(499), startsAt(500)]).toEqual([[], [1]]);
  failed(1, 2, 600);
  expect(dueAt(600)).toMatchObject([{ start: 1, attempts: 2 }]);
  pinned(1, 9_001);
  expect(progress()).toEqual({ keeper, waiting: 0, pinnedSize: 3 });
  expect(startsAt(9_000)).toEqual([0, 2]);
});

test('new blocks and old ones share the room, and each keeper has its own', () => {
  addBlocks(0, 3);
  for (const start of [0, 1, 2]) pinned(start, 0);
  addBlocks(3, 6);
  expect(startsAt(0)).toEqual([0, 1, 3, 4]);
  expect(progress()).toEqual({ keeper, waiting: 3, pinnedSize: 3 });
  expect(books.run('listDuePins', { keeper: 'other', nowMs: 0, limit: 9 })).toHaveLength(6);
  expect(books.run('readPinProgress', ['other'])).toEqual([{ keeper: 'other', waiting: 6, pinnedSize: 0 }]);
});

test('the pins of a service are known by what it calls them, until they are given up', () => {
  addBlocks(0, 2);
  books.run('recordPin', {
    keeper,
    start: 1,
    state: 'pinning',
    requestId: 'r1',
    attempts: 0,
    nextAtMs: 5,
    failure: null,
  });
  expect(books.run('listPins', keeper)).toMatchObject([{ start: 1, state: 'pinning', requestId: 'r1' }]);
  books.run('removePin', { keeper, start: 1 });
  expect(books.run('listPins', keeper)).toEqual([]);
  const unknown = { keeper, start: 7, state: 'pinned', attempts: 0, nextAtMs: 0, failure: null } as const;
  expect(() => books.run('recordPin', unknown)).toThrow();
});
