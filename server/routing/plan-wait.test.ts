import { describe, expect, test } from 'vitest';
import { planWait } from './plan-wait.ts';

const terms = { firstMs: 200, mostMs: 1_000, retryAfterMostMs: 20_000 };
const wait = (changes: Partial<Parameters<typeof planWait>[1]>) =>
  planWait(terms, { repetition: 0, retryAfterMs: null, leftMs: 60_000, random: 0, ...changes });

describe('the wait before a repetition', () => {
  test('doubles up to the most', () => {
    expect([0, 1, 2, 3, 9].map((repetition) => wait({ repetition }))).toEqual([200, 400, 800, 1_000, 1_000]);
  });

  test('is up to half shorter by chance', () => {
    expect(wait({ random: 0.5 })).toBe(150);
    expect(wait({ random: 0.999_999 })).toBe(100);
  });

  test('is what the provider asks for, and a little more by chance', () => {
    expect(wait({ retryAfterMs: 3_000 })).toBe(3_000);
    expect(wait({ retryAfterMs: 3_000, random: 0.5 })).toBe(3_050);
    expect(wait({ retryAfterMs: 0 })).toBe(0);
  });

  test('is none where it would be too long, or the call has less time left', () => {
    expect(wait({ retryAfterMs: 20_001 })).toBeNull();
    expect(wait({ retryAfterMs: 5_000, leftMs: 5_000 })).toBeNull();
    expect(wait({ leftMs: 100 })).toBeNull();
  });
});
