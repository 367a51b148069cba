import { expect, test } from 'vitest';
import { createResponseCache } from './response-cache.ts';

const entry = (sizeBytes: number) => ({ sizeBytes });

test('forgets what was longest unused when it is full', () => {
  // Each entry costs 2 × 512 + 1024 bytes, so 16 fit.
  const cache = createResponseCache<{ sizeBytes: number }>(16 * 2048);
  for (let index = 0; index < 16; index += 1) cache.set(String(index), entry(512));
  expect(cache.get('0')).toBeDefined();
  cache.set('16', entry(512));
  expect(cache.get('1')).toBeUndefined();
  expect(cache.get('0')).toBeDefined();
  expect(cache.get('16')).toBeDefined();
});

test('replacing a value frees what it took', () => {
  const cache = createResponseCache<{ sizeBytes: number }>(16 * 2048);
  for (let index = 0; index < 100; index += 1) cache.set('same', entry(512));
  for (let index = 0; index < 15; index += 1) cache.set(String(index), entry(512));
  expect(cache.get('same')).toBeDefined();
});

test('does not keep what is too large', () => {
  const cache = createResponseCache<{ sizeBytes: number }>(16 * 2048);
  cache.set('large', entry(2_000));
  expect(cache.get('large')).toBeUndefined();
});
