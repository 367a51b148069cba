import { expect, test } from 'vitest';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { allowanceLifetimeMs, createAllowanceReader, refreshIntervalMs } from './allowance-reader.ts';

const payer: Hex = `0x${'ab'.repeat(20)}`;

function create() {
  const clock = { ms: 0 };
  const chain = { allowance: 50n, balanceOf: 40n, cap: 100n, spentToday: 70n };
  const reads: string[] = [];
  const readContract = async ({ functionName }: { functionName: 'allowance' | 'balanceOf' | 'dailyCapOf' }) => {
    reads.push(functionName);
    return functionName === 'dailyCapOf' ? [chain.cap, chain.spentToday] : chain[functionName];
  };
  const client = { readContract } as unknown as Parameters<typeof createAllowanceReader>[0]['client'];
  const reader = createAllowanceReader({ client, agpt: '0xa9', autoPayLLM: '0xa1', nowMs: () => clock.ms });
  return { chain, clock, reader, reads };
}

test('what is available is the least of allowance, balance and what is left of the cap', async () => {
  const { chain, reader } = create();
  expect(await reader.read(payer)).toEqual({ available: 30n, allowance: 50n, balance: 40n, leftToday: 30n });
  reader.forget(payer);
  Object.assign(chain, { spentToday: 0n });
  expect(await reader.read(payer)).toMatchObject({ available: 40n });
  reader.forget(payer);
  Object.assign(chain, { allowance: 7n });
  expect(await reader.read(payer)).toMatchObject({ available: 7n });
  reader.forget(payer);
  Object.assign(chain, { cap: 10n, spentToday: 11n });
  expect(await reader.read(payer)).toMatchObject({ available: 0n, leftToday: 0n });
});

test('a burst of calls asks the chain once, and money that moved is asked for again', async () => {
  const { clock, reader, reads } = create();
  await Promise.all([reader.read(payer), reader.read(payer)]);
  expect(reads).toHaveLength(3);
  clock.ms += allowanceLifetimeMs - 1;
  await reader.read(payer);
  expect(reads).toHaveLength(3);
  reader.forget(payer);
  await reader.read(payer);
  expect(reads).toHaveLength(6);
  clock.ms += allowanceLifetimeMs;
  await reader.read(payer);
  expect(reads).toHaveLength(9);
});

test('a reading that money has overtaken is not used', async () => {
  const answers: ((allowance: bigint) => void)[] = [];
  const readContract = ({ functionName }: { functionName: string }) =>
    functionName === 'allowance'
      ? new Promise<bigint>((resolve) => void answers.push(resolve))
      : Promise.resolve(functionName === 'dailyCapOf' ? [1_000n, 0n] : 1_000n);
  const client = { readContract } as unknown as Parameters<typeof createAllowanceReader>[0]['client'];
  const reader = createAllowanceReader({ client, agpt: '0xa9', autoPayLLM: '0xa1', nowMs: () => 0 });
  const read = reader.read(payer);
  reader.forget(payer);
  answers[0]?.(100n);
  await expect.poll(() => answers.length).toBe(2);
  answers[1]?.(70n);
  expect(await read).toMatchObject({ available: 70n });
});

test('who allows too little is asked again soon: it may have approved more', async () => {
  const { chain, clock, reader, reads } = create();
  await reader.read(payer, 31n);
  Object.assign(chain, { spentToday: 0n });
  clock.ms += refreshIntervalMs - 1;
  expect(await reader.read(payer, 31n)).toMatchObject({ available: 30n });
  expect(reads).toHaveLength(3);
  clock.ms += 1;
  expect(await reader.read(payer, 30n)).toMatchObject({ available: 30n });
  expect(await reader.read(payer, 31n)).toMatchObject({ available: 40n });
});

test('a chain that does not answer is asked again by the next call', async () => {
  let isDown = true;
  const client = {
    readContract: ({ functionName }: { functionName: string }) =>
      isDown ? Promise.reject(new Error('down')) : Promise.resolve(functionName === 'dailyCapOf' ? [1n, 0n] : 1n),
  } as unknown as Parameters<typeof createAllowanceReader>[0]['client'];
  const reader = createAllowanceReader({ client, agpt: '0xa9', autoPayLLM: '0xa1', nowMs: () => 0 });
  await expect(reader.read(payer)).rejects.toMatchObject({ code: 'chain_unavailable' });
  isDown = false;
  expect(await reader.read(payer)).toMatchObject({ available: 1n });
});
