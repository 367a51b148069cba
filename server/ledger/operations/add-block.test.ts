import { afterEach, beforeEach, expect, test } from 'vitest';
import { toHex } from '../../../protocol/bytes/hex.ts';
import { hashLeaf } from '../../../protocol/merkle/hashes.ts';
import { decodeReceipt } from '../../../protocol/receipt/decode-receipt.ts';
import { someCharge, someReserve } from '../ledger-fixtures.ts';
import { openTestBooks, type TestBooks } from '../test-books.ts';

let books: TestBooks;
beforeEach(() => {
  books = openTestBooks();
  for (let index = 0; index < 5; index += 1) {
    const request = someReserve(null, 0n);
    books.run('reserve', request);
    books.run('charge', someCharge(request.callId, 0n));
  }
});
afterEach(() => books.close());

const hash = (fill: number) => new Uint8Array(32).fill(fill);
const first = { start: 0, size: 3, cid: 'bafy-first', root: hash(1), frontier: [hash(2), hash(3)] };
const second = { start: 3, size: 5, cid: 'bafy-second', root: hash(4), frontier: [hash(5), hash(6)] };

test('every charge has a log index, in order, and its entry is its receipt', () => {
  expect(books.run('listEntries', { from: 0, limit: 9 })).toHaveLength(5);
  const entries = books.run('listEntries', { from: 1, limit: 3 });
  expect(entries.map((entry) => entry.index)).toEqual([1, 2, 3]);
  for (const { callId, entry } of entries) expect(decodeReceipt(entry).callId).toBe(callId);
  expect(books.run('listEntries', { from: 5, limit: 3 })).toEqual([]);
});

test('blocks follow one another and may be repeated', () => {
  expect(books.run('lastBlock', undefined)).toBeUndefined();
  books.run('addBlock', first);
  books.run('addBlock', first);
  books.run('addBlock', second);
  expect(books.run('lastBlock', undefined)).toEqual(second);
});

test('a gap, another block in the same place and one beyond the log are refused', () => {
  expect(() => books.run('addBlock', second)).toThrow('starts at 0, not at 3');
  expect(() => books.run('addBlock', { ...first, size: 6 })).toThrow('beyond the log of 5');
  books.run('addBlock', first);
  expect(() => books.run('addBlock', { ...first, cid: 'bafy-other' })).toThrow('is bafy-first, not bafy-other');
});

test('anchors are recorded for blocks, grow, and may be repeated', () => {
  const transactionHash = toHex(Buffer.alloc(32, 0xab));
  expect(books.run('anchoredSize', undefined)).toBe(0);
  expect(() => books.run('recordAnchor', { size: 3, transactionHash })).toThrow('No block ends at log size 3');
  books.run('addBlock', first);
  books.run('addBlock', second);
  books.run('recordAnchor', { size: 5, transactionHash });
  books.run('recordAnchor', { size: 5, transactionHash });
  expect(books.run('anchoredSize', undefined)).toBe(5);
  expect(() => books.run('recordAnchor', { size: 3, transactionHash })).toThrow('5 is anchored already');
  expect(() => books.run('recordAnchor', { size: 5, transactionHash: toHex(hash(9)) })).toThrow('was anchored by');
});

test('finds what proves that a position is in the log: its oldest anchor, and the leaves', () => {
  const transactionHash = (fill: number) => toHex(hash(fill));
  books.run('addBlock', first);
  books.run('recordAnchor', { size: 3, transactionHash: transactionHash(7) });
  expect(books.run('findAnchorOf', 3)).toBeUndefined();
  books.run('addBlock', second);
  books.run('recordAnchor', { size: 5, transactionHash: transactionHash(8) });
  expect([0, 2, 3, 4].map((index) => books.run('findAnchorOf', index)?.size)).toEqual([3, 3, 5, 5]);
  expect(books.run('findAnchorOf', 2)).toEqual({ size: 3, transactionHash: transactionHash(7) });
  const leaves = books.run('listEntries', { from: 0, limit: 9 }).map(({ entry }) => toHex(hashLeaf(entry)));
  expect(books.run('listLeafHashes', { from: 1, limit: 3 }).map(toHex)).toEqual(leaves.slice(1, 4));
});
