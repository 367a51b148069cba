import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createApiKey, hashApiKey, hintOfApiKey, isApiKey } from './api-key.ts';

test('a key is the prefix and 32 random bytes, and no two are alike', () => {
  const keys = Array.from({ length: 50 }, createApiKey);
  expect(new Set(keys).size).toBe(50);
  for (const key of keys) {
    expect(isApiKey(key)).toBe(true);
    expect(Buffer.from(key.slice('ap_sk_'.length), 'base64url')).toHaveLength(32);
  }
});

test('other texts are no keys', () => {
  const key = createApiKey();
  for (const text of ['', 'ap_sk_', key.slice(1), `${key}A`, key.slice(0, -1), `${key.slice(0, -1)}!`, ` ${key}`]) {
    expect(isApiKey(text), text).toBe(false);
  }
});

test('what is stored and shown does not give the key away', () => {
  const key = createApiKey();
  expect(hashApiKey(key)).toBe(`0x${createHash('sha256').update(key).digest('hex')}`);
  expect(hintOfApiKey(key)).toBe(`ap_sk_…${key.slice(-4)}`);
});
