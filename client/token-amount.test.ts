import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAmount, formatShort, parseAmount } from './token-amount.ts';

const usdc = { symbol: 'USDC', decimals: 6 };
const agpt = { symbol: 'AGPT', decimals: 18 };

describe('amounts', () => {
  it('are written with six digits, and more where they count', () => {
    expect(formatAmount(1_234n, usdc)).toBe('0.001234 USDC');
    expect(formatAmount(5_000_000n, usdc)).toBe('5.000000 USDC');
    expect(formatAmount(10n ** 22n + 1n, agpt)).toBe('10000.000000000000000001 AGPT');
    expect(formatAmount(-1n, usdc)).toBe('-0.000001 USDC');
    expect(formatAmount(7n, { symbol: 'X', decimals: 0 })).toBe('7 X');
  });

  it('are written in sentences without the zeros that line columns up', () => {
    expect(formatShort(10n ** 24n, agpt)).toBe('1,000,000 AGPT');
    expect(formatShort(1_234_500_000n, usdc)).toBe('1,234.5 USDC');
    expect(formatShort(50n, usdc)).toBe('0.00005 USDC');
    expect(formatShort(999n, { symbol: 'X', decimals: 0 })).toBe('999 X');
  });

  it('are read back exactly', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 96n), (amount) => {
        expect(parseAmount(formatAmount(amount, agpt).split(' ')[0] ?? '', agpt)).toBe(amount);
      }),
    );
  });

  it('are refused in any other form', () => {
    for (const bad of ['', '-1', '1e3', '.5', '1.', '1,5', '0x10', '1.0000001', 'NaN']) {
      expect(() => parseAmount(bad, usdc), bad).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    }
  });
});
