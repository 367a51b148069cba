import { hash } from 'node:crypto';

/** A deterministic source of numbers. Not for secrets. */
export interface SeededRandom {
  /** A whole number from 0 to `bound` − 1. */
  below(bound: number): number;
  /** `length` letters and digits, as in OpenAI's ids. */
  alphanumeric(length: number): string;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** The mulberry32 generator (public domain), started from the first 32 bits of the seed's SHA-256. */
export function createSeededRandom(seed: string): SeededRandom {
  let state = Number.parseInt(hash('sha256', seed, 'hex').slice(0, 8), 16);
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number): number => Math.floor(next() * bound);
  return {
    below,
    alphanumeric: (length) => Array.from({ length }, () => ALPHABET[below(ALPHABET.length)]).join(''),
  };
}
