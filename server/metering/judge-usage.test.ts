import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainPrices } from '../../protocol/pricing/plain-prices-fixture.ts';
import { costOfUsage } from '../../protocol/pricing/token-prices.ts';
import { judgeUsage } from './judge-usage.ts';
import type { ToldUsage } from './read-usage.ts';

const bounds = { promptTokens: 200, completionTokens: 100, promptMargin: 0, completionMargin: 0, answerBytes: 12 };
const told: ToldUsage = {
  prompt: 100,
  cachedPrompt: 40,
  cacheWrite: 20,
  audioPrompt: 10,
  completion: 50,
  reasoning: 30,
  audioCompletion: 5,
};

test('what can be is taken as it is', () => {
  expect(judgeUsage(told, bounds)).toEqual({ usage: told, isExact: true, fault: null });
  const atBound = { ...told, prompt: 200, completion: 100, reasoning: 100 };
  expect(judgeUsage(atBound, bounds)).toEqual({ usage: atBound, isExact: true, fault: null });
});

test('audio from the cache is billed once', () => {
  const { fault, usage } = judgeUsage({ ...told, cachedPrompt: 80, cacheWrite: 0, audioPrompt: 60 }, bounds);
  expect(usage).toMatchObject({ cachedPrompt: 80, audioPrompt: 20 });
  expect(fault).toBeNull();
});

test('a count above its bound becomes the bound', () => {
  expect(judgeUsage({ ...told, prompt: 201 }, bounds)).toEqual({
    usage: { ...told, prompt: 200 },
    isExact: false,
    fault: 'above_bound',
  });
  expect(judgeUsage({ ...told, completion: 5_000 }, bounds)).toEqual({
    usage: { ...told, completion: 100 },
    isExact: false,
    fault: 'above_bound',
  });
});

test('within its margin it is cut, but may be true', () => {
  const wide = { ...bounds, promptMargin: 10, completionMargin: 2 };
  const above = { ...told, prompt: 210, completion: 102 };
  expect(judgeUsage(above, wide)).toEqual({
    usage: { ...told, prompt: 200, completion: 100 },
    isExact: false,
    fault: null,
  });
  expect(judgeUsage({ ...above, prompt: 211 }, wide).fault).toBe('above_bound');
  expect(judgeUsage({ ...above, completion: 103 }, wide).fault).toBe('above_bound');
});

test('where there is no count, the byte bound stands for it', () => {
  const { fault, usage } = judgeUsage({ ...told, prompt: NaN, completion: NaN }, bounds);
  expect(usage).toMatchObject({ prompt: 200, completion: 12, reasoning: 12, audioCompletion: 5 });
  expect(fault).toBe('not_a_count');
  expect(judgeUsage({ ...told, completion: NaN }, { ...bounds, answerBytes: 9_000 }).usage.completion).toBe(100);
  expect(judgeUsage({ ...told, cachedPrompt: NaN }, bounds)).toEqual({
    usage: { ...told, cachedPrompt: 0 },
    isExact: false,
    fault: 'not_a_count',
  });
});

test('a part above its whole becomes the whole', () => {
  const fault = 'part_above_whole';
  const isExact = false;
  expect(judgeUsage({ ...told, cachedPrompt: 101 }, bounds)).toEqual({
    usage: { ...told, cachedPrompt: 100, cacheWrite: 0, audioPrompt: 0 },
    isExact,
    fault,
  });
  expect(judgeUsage({ ...told, cacheWrite: 61 }, bounds)).toEqual({
    usage: { ...told, cacheWrite: 60, audioPrompt: 0 },
    isExact,
    fault,
  });
  expect(judgeUsage({ ...told, audioPrompt: 101 }, bounds).fault).toBe(fault);
  expect(judgeUsage({ ...told, reasoning: 51 }, bounds)).toEqual({ usage: { ...told, reasoning: 50 }, isExact, fault });
  expect(judgeUsage({ ...told, audioCompletion: 51 }, bounds)).toEqual({
    usage: { ...told, audioCompletion: 50 },
    isExact,
    fault,
  });
});

test('whatever a provider tells, there is a price for it, and never more than the bounds', () => {
  const count = fc.oneof(fc.nat(300), fc.constant(NaN), fc.constant(Number.MAX_SAFE_INTEGER));
  const usages = fc.record({
    ...{ prompt: count, cachedPrompt: count, cacheWrite: count, audioPrompt: count },
    ...{ completion: count, reasoning: count, audioCompletion: count },
  });
  const prices = plainPrices(1_000_000n);
  fc.assert(
    fc.property(usages, (usage) => {
      const judged = judgeUsage(usage, bounds);
      expect(costOfUsage(judged.usage, { prices, conversion: null })).toBeLessThanOrEqual(300n);
      expect(judgeUsage(judged.usage, bounds)).toEqual({ usage: judged.usage, isExact: true, fault: null });
    }),
  );
});
