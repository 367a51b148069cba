import { describe, expect, it } from 'vitest';
import { randomBytes } from './random-bytes.ts';

describe('random bytes', () => {
  it('never repeat, across many refills of the pool', () => {
    const seen = new Set(Array.from({ length: 20_000 }, () => randomBytes(32).toString('hex')));
    expect(seen.size).toBe(20_000);
  });

  it('have the length that was asked for, and are all used', () => {
    const counts = new Set<number>();
    for (let index = 0; index < 2_000; index += 1) for (const byte of randomBytes(16)) counts.add(byte);
    expect(counts.size).toBe(256);
    expect(randomBytes(1024)).toHaveLength(1024);
    expect(() => randomBytes(1025)).toThrow(RangeError);
  });
});
