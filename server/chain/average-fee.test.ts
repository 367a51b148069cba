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
  // A clock that was set back, or a long pause, does no harm.
  nowMs = 0;
  expect(await fees.look()).toEqual({ baseFee: 190n, average: 100n });
  nowMs = 60_000;
  baseFee = 50n;
  expect(await fees.look()).toEqual({ baseFee: 50n, average: 50n });
});
