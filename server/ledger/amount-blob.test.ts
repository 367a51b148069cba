import { expect, test } from 'vitest';
import { decodeAmount, encodeAmount, maxAmount } from './amount-blob.ts';

const samples = [0n, 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n, 10n ** 22n, maxAmount - 1n, maxAmount];

test('amounts survive the blob, up to 2^128 − 1', () => {
  for (const amount of samples) expect(decodeAmount(encodeAmount(amount))).toBe(amount);
});

test('blobs compare as their amounts do', () => {
  const blobs = samples.map(encodeAmount);
  for (const [index, blob] of blobs.slice(1).entries()) expect(Buffer.compare(blobs[index] ?? blob, blob)).toBe(-1);
});

test('what is no amount is refused', () => {
  expect(() => encodeAmount(-1n)).toThrow('must lie in 0');
  expect(() => encodeAmount(maxAmount + 1n)).toThrow('must lie in 0');
  expect(() => decodeAmount(Buffer.alloc(15))).toThrow('16 bytes, not 15');
});

test('a blob in the middle of a larger buffer is read from its own start', () => {
  const buffer = Buffer.concat([Buffer.alloc(5, 0xff), encodeAmount(7n)]);
  expect(decodeAmount(buffer.subarray(5))).toBe(7n);
});
