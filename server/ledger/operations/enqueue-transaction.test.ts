import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toHex, type Hex } from '../../../protocol/bytes/hex.ts';
import type { TransactionAttempt } from '../background-ledger.ts';
import { maxStateValueLength } from '../state-store.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

const account: Hex = `0x${'a1'.repeat(20)}`;

function attempt(): TransactionAttempt {
  return { hash: toHex(randomBytes(32)), raw: toHex(randomBytes(120)), signedAtMs: 1_800_000_000_000 };
}

function enqueue(purpose: string, nonce: number, sender = account) {
  return books.run('enqueueTransaction', { purpose, account: sender, nonce, attempt: attempt() });
}

function enqueued(purpose: string, nonce: number) {
  const transaction = enqueue(purpose, nonce);
  if (transaction === undefined) throw new Error(`nonce ${nonce} is taken`);
  return transaction;
}

test('a job is sent once: the second signature for a purpose is not stored', () => {
  expect(books.run('nextNonce', account)).toBeUndefined();
  const first = attempt();
  const queued = books.run('enqueueTransaction', { purpose: 'collect:1', account, nonce: 4, attempt: first });
  expect(queued).toEqual({ purpose: 'collect:1', account, nonce: 4, attempts: [first], id: 1, status: 'signed' });
  expect(enqueue('collect:1', 5)).toEqual(queued);
  expect(books.run('nextNonce', account)).toBe(5);
  books.run('finishTransaction', { id: 1, status: 'succeeded' });
  expect(enqueue('collect:1', 5)).toEqual({ ...queued, status: 'succeeded' });
});

test('after a revert the same job may be sent again, with a new nonce', () => {
  const { id } = enqueued('anchor:8', 0);
  books.run('finishTransaction', { id, status: 'reverted' });
  expect(books.run('getTransaction', 'anchor:8')?.status).toBe('reverted');
  const again = enqueued('anchor:8', 1);
  expect([again.nonce, again.status]).toEqual([1, 'signed']);
  expect(books.run('getTransaction', 'anchor:8')).toEqual(again);
});

test('a nonce of an account is given once; the chain may be ahead of the queue, and a gap be filled', () => {
  const first = enqueued('book:1', 7);
  expect(enqueue('book:2', 7)).toBeUndefined();
  expect(enqueued('book:2', 10).nonce).toBe(10);
  expect(books.run('nextNonce', account)).toBe(11);
  expect(books.run('findTransaction', { account, nonce: 8 })).toBeUndefined();
  expect(enqueued('fill:8', 8).nonce).toBe(8);
  // Nothing came of it: its nonce is free.
  books.run('finishTransaction', { id: first.id, status: 'reverted' });
  expect(books.run('findTransaction', { account, nonce: 7 })).toBeUndefined();
  const filler = enqueued('fill:7', 7);
  expect(books.run('findTransaction', { account, nonce: 7 })).toEqual(filler);
  const other: Hex = `0x${'b2'.repeat(20)}`;
  expect(books.run('nextNonce', other)).toBeUndefined();
  expect(enqueue('other', 7, other)?.nonce).toBe(7);
});

test('a replacement is remembered beside what it replaces, until there is an outcome', () => {
  const queued = enqueued('a', 1);
  const dearer = attempt();
  const replaced = { ...queued, attempts: [...queued.attempts, dearer] };
  expect(books.run('replaceTransaction', { id: queued.id, attempt: dearer })).toEqual(replaced);
  expect(books.run('replaceTransaction', { id: queued.id, attempt: dearer })).toEqual(replaced);
  expect(books.run('listUnfinishedTransactions', account)).toEqual([replaced]);
  books.run('finishTransaction', { id: queued.id, status: 'reverted' });
  expect(() => books.run('replaceTransaction', { id: queued.id, attempt: attempt() })).toThrow('has reverted');
});

test('unfinished transactions are listed by nonce until their outcome is known', () => {
  const first = enqueued('a', 1);
  const second = enqueued('b', 2);
  expect(books.run('listUnfinishedTransactions', account)).toEqual([first, second]);
  books.run('finishTransaction', { id: first.id, status: 'reverted' });
  books.run('finishTransaction', { id: first.id, status: 'reverted' });
  expect(books.run('listUnfinishedTransactions', account)).toEqual([second]);
  expect(() => books.run('finishTransaction', { id: first.id, status: 'succeeded' })).toThrow('has reverted');
  expect(() => books.run('finishTransaction', { id: 99, status: 'succeeded' })).toThrow('is unknown');
  // A reorganisation may show that a success was none.
  books.run('finishTransaction', { id: second.id, status: 'succeeded' });
  books.run('finishTransaction', { id: second.id, status: 'reverted' });
  expect(books.run('getTransaction', 'b')?.status).toBe('reverted');
});

test('state values are kept, replaced and bounded', () => {
  expect(books.run('getState', 'watched-block')).toBeUndefined();
  books.run('setState', { key: 'watched-block', value: '12' });
  books.run('setState', { key: 'watched-block', value: '13' });
  expect(books.run('getState', 'watched-block')).toBe('13');
  expect(() => books.run('setState', { key: 'k', value: 'x'.repeat(maxStateValueLength + 1) })).toThrow('too long');
});
