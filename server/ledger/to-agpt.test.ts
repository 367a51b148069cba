import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toAgpt } from './to-agpt.ts';

test.each([
  [0n, 10n ** 30n, 0n],
  // One AGPT at its own rate.
  [10n ** 18n, 10n ** 18n, 10n ** 18n],
  // One USDC (6 decimals) at 8 AGPT.
  [10n ** 6n, 8n * 10n ** 30n, 8n * 10n ** 18n],
  // Less than one wei is one wei.
  [1n, 1n, 1n],
  [10n ** 18n + 1n, 1n, 2n],
  [5n, 0n, 0n],
])('%s at the rate %s counts %s', (amount, rate, agpt) => {
  expect(toAgpt(amount, rate)).toBe(agpt);
});

test('the sum of calls never counts less than the booked sum', () => {
  const amount = fc.bigInt({ min: 0n, max: 2n ** 96n });
  fc.assert(
    fc.property(fc.array(amount), fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), (amounts, rate) => {
      const byCall = amounts.reduce((sum, item) => sum + toAgpt(item, rate), 0n);
      const booked = toAgpt(
        amounts.reduce((sum, item) => sum + item, 0n),
        rate,
      );
      expect(byCall).toBeGreaterThanOrEqual(booked);
    }),
  );
});
