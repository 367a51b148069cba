import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toHex } from '../../../protocol/bytes/hex.ts';
import { maxStateValueLength } from '../state-store.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
});
afterEach(() => books.close());

function signed(purpose: string, nonce: number) {
  return { purpose, nonce, hash: toHex(randomBytes(32)), raw: toHex(randomBytes(120)) };
}

test('a job is sent once: the second signature for a purpose is not stored', () => {
  expect(books.run('nextNonce', undefined)).toBeUndefined();
  const transaction = signed('collect:1', 4);
  const queued = books.run('enqueueTransaction', transaction);
  expect(queued).toEqual({ ...transaction, id: 1, status: 'signed' });
  expect(books.run('enqueueTransaction', signed('collect:1', 5))).toEqual(queued);
  expect(books.run('nextNonce', undefined)).toBe(5);
  books.run('finishTransaction', { id: queued.id, status: 'succeeded' });
  expect(books.run('enqueueTransaction', signed('collect:1', 5))).toEqual({ ...queued, status: 'succeeded' });
});

test('after a revert the same job may be sent again, with a new nonce', () => {
  const { id } = books.run('enqueueTransaction', signed('anchor:8', 0));
  books.run('finishTransaction', { id, status: 'reverted' });
  expect(books.run('getTransaction', 'anchor:8')?.status).toBe('reverted');
  const again = books.run('enqueueTransaction', signed('anchor:8', 1));
  expect([again.nonce, again.status]).toEqual([1, 'signed']);
  expect(books.run('getTransaction', 'anchor:8')).toEqual(again);
});

test('a nonce is given once; the chain may be ahead of the queue', () => {
  books.run('enqueueTransaction', signed('book:1', 7));
  expect(() => books.run('enqueueTransaction', signed('book:2', 7))).toThrow('Nonce 7 is taken; the next is 8');
  expect(books.run('enqueueTransaction', signed('book:2', 10)).nonce).toBe(10);
});

test('unfinished transactions are listed by nonce until their outcome is known', () => {
  const first = books.run('enqueueTransaction', signed('a', 1));
  const second = books.run('enqueueTransaction', signed('b', 2));
  expect(books.run('listUnfinishedTransactions', undefined)).toEqual([first, second]);
  books.run('finishTransaction', { id: first.id, status: 'reverted' });
  books.run('finishTransaction', { id: first.id, status: 'reverted' });
  expect(books.run('listUnfinishedTransactions', undefined)).toEqual([second]);
  expect(() => books.run('finishTransaction', { id: first.id, status: 'succeeded' })).toThrow('has reverted');
  expect(() => books.run('finishTransaction', { id: 99, status: 'succeeded' })).toThrow('is unknown');
});

test('state values are kept, replaced and bounded', () => {
  expect(books.run('getState', 'watched-block')).toBeUndefined();
  books.run('setState', { key: 'watched-block', value: '12' });
  books.run('setState', { key: 'watched-block', value: '13' });
  expect(books.run('getState', 'watched-block')).toBe('13');
  expect(() => books.run('setState', { key: 'k', value: 'x'.repeat(maxStateValueLength + 1) })).toThrow('too long');
});
