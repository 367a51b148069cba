import { describe, expect, it } from 'vitest';
import { larger, smaller } from './compare-amounts.ts';

describe('larger and smaller', () => {
  it('choose either side, beyond what a float can tell apart', () => {
    const most = 2n ** 128n;
    expect([larger(most, most + 1n), larger(most + 1n, most)]).toEqual([most + 1n, most + 1n]);
    expect([smaller(most, most + 1n), smaller(most + 1n, most)]).toEqual([most, most]);
  });

  it('passes over what is absent', () => {
    expect(larger(0n, undefined)).toBe(0n);
  });
});
