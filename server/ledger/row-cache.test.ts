import { expect, test } from 'vitest';
import { RowCaches } from './row-cache.ts';

/** A table of numbers, and a cache of it. */
function open() {
  const table = new Map<string, number>();
  const caches = new RowCaches();
  const rows = caches.create<{ key: string; value: number }>(({ key, value }) => table.set(key, value));
  let reads = 0;
  const get = (key: string) =>
    rows.get(key, () => {
      reads += 1;
      const value = table.get(key);
      return value === undefined ? undefined : { key, value };
    })?.value;
  const put = (key: string, value: number) => rows.put(key, { key, value });
  return { table, caches, get, put, reads: () => reads };
}

test('a row is read once, one that is missing each time', () => {
  const { table, get, reads } = open();
  table.set('a', 1);
  expect([get('a'), get('a'), get('b'), get('b')]).toEqual([1, 1, undefined, undefined]);
  expect(reads()).toBe(3);
});

test('a row is written at once, and while it is deferred, by the next flush, once', () => {
  const { table, caches, get, put } = open();
  put('a', 1);
  expect(table.get('a')).toBe(1);
  caches.defer(() => {
    put('a', 2);
    put('a', 3);
    expect([get('a'), table.get('a')]).toEqual([3, 1]);
  });
  table.delete('a');
  caches.flush();
  expect(table.get('a')).toBe(3);
  table.set('a', 9);
  caches.flush();
  expect(table.get('a')).toBe(9);
});

test('what threw while it deferred is not deferred for ever', () => {
  const { table, caches, put } = open();
  expect(() =>
    caches.defer(() => {
      throw new Error('no');
    }),
  ).toThrow('no');
  put('a', 1);
  expect(table.get('a')).toBe(1);
});

test('after a rollback nothing is known, and nothing is left to write', () => {
  const { table, caches, get, put } = open();
  let forgotten = 0;
  caches.onRollback(() => (forgotten += 1));
  put('a', 1);
  caches.defer(() => put('a', 2));
  table.set('a', 7);
  caches.clear();
  caches.flush();
  expect([get('a'), table.get('a'), forgotten]).toEqual([7, 7, 1]);
});

test('it is bounded: rows that leave are read again', () => {
  const { get, put, reads } = open();
  for (let index = 0; index < 5_000; index += 1) put(String(index), index);
  expect([get('0'), get('4999'), reads()]).toEqual([0, 4_999, 1]);
});
