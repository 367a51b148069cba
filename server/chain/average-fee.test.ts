import { expect, it } from 'vitest';
import { createFeeAverage } from './average-fee.ts';

it('begins with the average of the last blocks, and follows the fee as time passes', async () => {
  let [baseFee, nowMs] = [100n, 0];
  const client = {
    getBlock: async () => ({ baseFeePerGas: baseFee }),
    getFeeHistory: async () => ({ baseFeePerGas: [80n, 120n, 40n] }),
  } as unknown as Parameters<typeof createFeeAverage>[0]['client'];
  const fees = createFeeAverage({ client, nowMs: () => nowMs, windowMs: 1_000 });
  expect(await fees.look()).toEqual({ baseFee: 100n, average: 80n });
  nowMs = 500;
  expect(await fees.look()).toEqual({ baseFee: 100n, average: 90n });
  nowMs = 600;
  baseFee = 190n;
  expect(await fees.look()).toEqual({ baseFee: 190n, average: 100n });
  // A clock that was set back does no harm.
  nowMs = 0;
  expect(await fees.look()).toEqual({ baseFee: 190n, average: 100n });
  // After a long pause the fee of that moment, which may be a peak, is no average.
  nowMs = 60_000;
  baseFee = 500n;
  expect(await fees.look()).toEqual({ baseFee: 500n, average: 80n });
});
