import { describe, expect, it } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { KeyWithProject } from '../ledger/key-ledger.ts';
import { createKeyCache, keyLifetimeMs } from './key-cache.ts';
import { someKey } from './key-fixtures.ts';

const hash: Hex = `0x${'01'.repeat(32)}`;

function setUp() {
  const clock = { ms: 0 };
  const asked: Hex[] = [];
  const answers: ((found: KeyWithProject | undefined) => void)[] = [];
  const ledger = {
    findKey(secretHash: Hex) {
      asked.push(secretHash);
      return new Promise<KeyWithProject | undefined>((resolve) => void answers.push(resolve));
    },
  };
  const found: KeyWithProject = { key: someKey(), project: null, channelId: null };
  return { clock, asked, answers, found, cache: createKeyCache({ ledger, nowMs: () => clock.ms }) };
}

describe('the cache of keys', () => {
  it('asks the books once for a while, also when asked at the same time', async () => {
    const { answers, asked, cache, clock, found } = setUp();
    const both = [cache.find(hash), cache.find(hash)];
    answers[0]?.(found);
    expect(await Promise.all(both)).toEqual([found, found]);
    await cache.find(hash);
    expect(asked).toHaveLength(1);
    clock.ms += keyLifetimeMs;
    void cache.find(hash);
    expect(asked).toHaveLength(2);
  });

  it('does not remember what a change has overtaken', async () => {
    const { answers, asked, cache, found } = setUp();
    const before = cache.find(hash);
    cache.clear();
    const after = cache.find(hash);
    answers[0]?.(found);
    answers[1]?.(undefined);
    expect(await before).toBe(found);
    expect(await after).toBeUndefined();
    void cache.find(hash);
    expect(asked).toHaveLength(3);
  });

  it('does not remember keys that do not exist, and bounds how many are looked up', async () => {
    const { answers, asked, cache } = setUp();
    const guesses = Array.from({ length: 64 }, (_, index) => cache.find(`0x${String(index).padStart(64, '0')}`));
    await expect(cache.find(hash)).rejects.toMatchObject({ code: 'overloaded' });
    for (const answer of answers) answer(undefined);
    expect(new Set(await Promise.all(guesses))).toEqual(new Set([undefined]));
    void cache.find(`0x${'0'.repeat(64)}`);
    expect(asked).toHaveLength(65);
  });
});
