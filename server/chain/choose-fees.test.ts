import { expect, test } from 'vitest';
import { chooseFees, raiseFees } from './choose-fees.ts';

test('a new transaction survives a doubling of the base fee, within the cap', () => {
  expect(chooseFees({ baseFee: 10n, priorityFee: 3n, cap: 100n })).toEqual({
    maxFeePerGas: 23n,
    maxPriorityFeePerGas: 3n,
  });
  expect(chooseFees({ baseFee: 60n, priorityFee: 3n, cap: 100n })).toEqual({
    maxFeePerGas: 100n,
    maxPriorityFeePerGas: 3n,
  });
  expect(chooseFees({ baseFee: 2n, priorityFee: 30n, cap: 20n })).toEqual({
    maxFeePerGas: 20n,
    maxPriorityFeePerGas: 20n,
  });
  expect(chooseFees({ baseFee: 101n, priorityFee: 3n, cap: 100n })).toBeUndefined();
});

test('a replacement offers at least an eighth more of both, or what the market asks', () => {
  const earlier = { maxFeePerGas: 800n, maxPriorityFeePerGas: 80n };
  expect(raiseFees(earlier, { baseFee: 1n, priorityFee: 1n, cap: 10_000n })).toEqual({
    maxFeePerGas: 901n,
    maxPriorityFeePerGas: 91n,
  });
  expect(raiseFees(earlier, { baseFee: 2_000n, priorityFee: 200n, cap: 10_000n })).toEqual({
    maxFeePerGas: 4_200n,
    maxPriorityFeePerGas: 200n,
  });
  expect(raiseFees({ maxFeePerGas: 0n, maxPriorityFeePerGas: 0n }, { baseFee: 0n, priorityFee: 0n, cap: 10n })).toEqual(
    {
      maxFeePerGas: 1n,
      maxPriorityFeePerGas: 1n,
    },
  );
});

test('the cap ends replacements, and is used up before', () => {
  const earlier = { maxFeePerGas: 800n, maxPriorityFeePerGas: 80n };
  expect(raiseFees(earlier, { baseFee: 2_000n, priorityFee: 1n, cap: 950n })).toEqual({
    maxFeePerGas: 950n,
    maxPriorityFeePerGas: 91n,
  });
  expect(raiseFees(earlier, { baseFee: 2_000n, priorityFee: 1n, cap: 900n })).toBeUndefined();
});
