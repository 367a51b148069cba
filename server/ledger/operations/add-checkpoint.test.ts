import { afterEach, beforeEach, expect, test } from 'vitest';
import { keptCheckpoints } from '../checkpoint-store.ts';
import { someCharge, someReserve } from '../ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
  charge(5);
});
afterEach(() => books.close());

function charge(count: number): void {
  const requests = Array.from({ length: count }, () => someReserve(null, 0n));
  books.runGroup(requests.map((argument) => ({ name: 'reserve', argument })));
  books.runGroup(requests.map(({ callId }) => ({ name: 'charge', argument: someCharge(callId, 0n) })));
}

const checkpoint = (size: number, fill = size, note = `note ${size}`) => ({
  ...{ size, root: new Uint8Array(32).fill(fill), signedAtMs: 1_700_000_000_000 + size, note },
});

test('the newest checkpoint is the largest; of one size the last note', () => {
  expect(books.run('newestCheckpoint', undefined)).toBeUndefined();
  books.run('addCheckpoint', checkpoint(0));
  books.run('addCheckpoint', checkpoint(3));
  books.run('addCheckpoint', checkpoint(3));
  expect(books.run('newestCheckpoint', undefined)).toEqual(checkpoint(3));
  const again = { ...checkpoint(3, 3, 'cosigned'), signedAtMs: 1_800_000_000_000 };
  books.run('addCheckpoint', again);
  books.run('addCheckpoint', { ...checkpoint(5) });
  expect(books.run('newestCheckpoint', undefined)).toEqual(checkpoint(5));
  expect(books.db.prepare('SELECT size, note FROM checkpoints').all()).toEqual([
    { size: 0, note: 'note 0' },
    { size: 3, note: 'cosigned' },
    { size: 5, note: 'note 5' },
  ]);
});

test('no smaller one follows, none with another root, and none beyond the log', () => {
  books.run('addCheckpoint', checkpoint(4));
  const fails = (code: string) => expect.objectContaining({ code }) as Error;
  expect(() => books.run('addCheckpoint', checkpoint(3))).toThrow(fails('log_rolled_back'));
  expect(() => books.run('addCheckpoint', checkpoint(4, 9))).toThrow(fails('log_forked'));
  expect(() => books.run('addCheckpoint', checkpoint(6))).toThrow('reaches beyond the log of 5');
  expect(books.run('newestCheckpoint', undefined)).toEqual(checkpoint(4));
});

test('the log has one size and one newest checkpoint on all chains', () => {
  expect(books.run('logSize', undefined)).toBe(5);
  expect(books.run('logSize', undefined, 31_338)).toBe(5);
  books.run('addCheckpoint', checkpoint(2), 31_338);
  expect(books.run('newestCheckpoint', undefined)).toEqual(checkpoint(2));
});

test('the oldest are forgotten beyond what is kept', () => {
  charge(keptCheckpoints);
  for (let size = 1; size <= keptCheckpoints + 5; size += 1) books.run('addCheckpoint', checkpoint(size, 1));
  const rows = books.db.prepare('SELECT count(*) AS count, min(size) AS first FROM checkpoints').get();
  expect(rows).toEqual({ count: keptCheckpoints, first: 6 });
});
