import { keccak256 as viemKeccak256 } from 'viem';
import { describe, expect, it } from 'vitest';
import { toHex } from './hex.ts';
import { keccak256 } from './keccak256.ts';

describe('keccak256', () => {
  it('gives what viem gives, around the 136 bytes that the sponge takes at a time', () => {
    for (const length of [0, 1, 31, 135, 136, 137, 271, 272, 1_000]) {
      const bytes = Uint8Array.from({ length }, (_, index) => index % 251);
      expect(toHex(keccak256(bytes))).toBe(viemKeccak256(bytes));
    }
  });

  it('takes parts as one, and views of a larger buffer as what they show', () => {
    const bytes = Uint8Array.from({ length: 200 }, (_, index) => index);
    const whole = keccak256(bytes.slice(10, 190));
    expect(keccak256(bytes.subarray(10, 60), bytes.subarray(60, 190))).toEqual(whole);
  });

  it('keeps nothing of a hash that failed, nor gives memory away that the next one writes', () => {
    const first = keccak256(Buffer.from('first'));
    const copy = Buffer.from(first);
    expect(() => keccak256(Buffer.from('half'), null as unknown as Uint8Array)).toThrow(TypeError);
    expect(toHex(keccak256(Buffer.alloc(0)))).toBe(viemKeccak256('0x'));
    expect(first).toEqual(copy);
  });
});
