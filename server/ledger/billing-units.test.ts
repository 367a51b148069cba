import { expect, test } from 'vitest';
import { roundUpToUnit } from './billing-units.ts';

test.each([
  [0n, 0n],
  [1n, 800_000_000_000_000n],
  [800_000_000_000_000n, 800_000_000_000_000n],
  [800_000_000_000_001n, 1_600_000_000_000_000n],
  [10n ** 18n, 10n ** 18n],
])('%s AGPT wei take %s from an allowance', (amount, taken) => {
  expect(roundUpToUnit(amount)).toBe(taken);
});
