import { expect, it } from 'vitest';
import fc from 'fast-check';
import { decimalPattern, parseDecimal } from './parse-decimal.ts';

it('converts exactly, and refuses what the token cannot hold', () => {
  expect(parseDecimal('0.15', 6)).toBe(150_000n);
  expect(parseDecimal('5', 6)).toBe(5_000_000n);
  expect(parseDecimal('0.1500000000', 6)).toBe(150_000n);
  expect(parseDecimal('0.0000001', 6)).toBeUndefined();
  expect(parseDecimal('10000', 18)).toBe(10n ** 22n);
  expect(parseDecimal('7.0', 0)).toBe(7n);
  for (const bad of ['', '.5', '5.', '01', '1e3', '-1', '1_000', '0x1', ' 1'])
    expect(decimalPattern.test(bad), bad).toBe(false);
});

it('is the inverse of writing an amount with all its decimals', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 96n }), fc.integer({ min: 1, max: 18 }), (amount, decimals) => {
      const digits = amount.toString().padStart(decimals + 1, '0');
      const text = `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
      expect(text).toMatch(decimalPattern);
      expect(parseDecimal(text, decimals)).toBe(amount);
    }),
  );
});
