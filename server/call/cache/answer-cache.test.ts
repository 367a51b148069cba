import { expect, test } from 'vitest';
import { AnswerCache, maxCachedBytes } from './answer-cache.ts';

const answer = (length: number, storedAtMs = 0) => ({
  ...{ contentType: 'application/json', body: new Uint8Array(length), storedAtMs, origin: { model: 'm' } },
});
const now = { maxAgeMs: Infinity, nowMs: 0 };

test('an answer is there until it is as old as is asked for', () => {
  const cache = new AnswerCache({ maxBytes: 10_000 });
  cache.put('a', answer(1, 1_000));
  expect(cache.find('a', { maxAgeMs: 500, nowMs: 1_499 })?.storedAtMs).toBe(1_000);
  expect(cache.find('a', { maxAgeMs: 500, nowMs: 1_500 })).toBeUndefined();
  expect(cache.find('b', now)).toBeUndefined();
});

test('what was not asked for the longest goes first, and a newer answer takes the place of an older one', () => {
  const cache = new AnswerCache({ maxBytes: 3 * (1_000 + 512) });
  for (const key of ['a', 'b', 'c']) cache.put(key, answer(1_000));
  cache.find('a', now);
  cache.put('c', answer(900));
  cache.put('d', answer(1_000));
  expect(['a', 'b', 'c', 'd'].filter((key) => cache.find(key, now))).toEqual(['a', 'c', 'd']);
});

test('an answer holds its own bytes, and not the memory that they were read in', () => {
  const cache = new AnswerCache({ maxBytes: 10_000 });
  const slab = new Uint8Array(65_536).fill(7);
  const body = slab.subarray(10, 110);
  cache.put('a', { ...answer(0), body });
  slab.fill(8);
  expect(cache.find('a', now)?.body).toEqual(new Uint8Array(100).fill(7));
  expect(cache.find('a', now)?.body.buffer.byteLength).toBe(100);
});

test('many small answers are bounded too, and one that is too long is not stored', () => {
  const cache = new AnswerCache({ maxBytes: 512 * 10 });
  for (let key = 0; key < 100; key += 1) cache.put(String(key), answer(0));
  expect(Array.from({ length: 100 }, (_, key) => cache.find(String(key), now)).filter(Boolean)).toHaveLength(10);
  const large = new AnswerCache({ maxBytes: 10 * maxCachedBytes });
  large.put('a', answer(maxCachedBytes + 1));
  large.put('b', answer(maxCachedBytes));
  expect([large.find('a', now), large.find('b', now)].map(Boolean)).toEqual([false, true]);
});
