import { BaseError } from 'viem';
import { beforeEach, expect, test } from 'vitest';
import type { ChainClient } from './create-chain-client.ts';
import { createHeadReader, type HeadReader } from './create-head-reader.ts';

const now = 1_800_000_000_000;
let headMs: number;
let warnings: string[];
beforeEach(() => {
  headMs = now;
  warnings = [];
});

/** A chain that is nothing but its newest block, because a real one does not get stuck. */
const client = {
  getBlock: () => Promise.resolve({ number: 7n, timestamp: BigInt(headMs / 1_000) }),
} as unknown as Pick<ChainClient, 'getBlock'>;

function create(overrides: { chainId?: number; client?: typeof client } = {}): HeadReader {
  const ignore = () => undefined;
  return createHeadReader({
    ...{ client, chainId: 42_161, maxHeadAgeSeconds: 120, nowMs: () => now },
    log: { info: ignore, error: ignore, warn: (_: object, message: string) => void warnings.push(message) },
    ...overrides,
  });
}

test('what a block tells is as old as the block, and never younger than the question', async () => {
  headMs = now - 9_000;
  expect(await create().read()).toEqual({ number: 7n, asOfMs: now - 9_000 });
  headMs = now + 9_000;
  expect(await create().read()).toEqual({ number: 7n, asOfMs: now });
  expect(warnings).toEqual([]);
});

test('an endpoint that is stuck counts as unreachable', async () => {
  headMs = now - 120_000;
  expect(await create().read()).toEqual({ number: 7n, asOfMs: now - 120_000 });
  headMs = now - 121_000;
  const reading = create().read();
  await expect(reading).rejects.toMatchObject({ code: 'chain_unavailable' });
  await expect(reading).rejects.toThrow('7, is 121 s old');
});

test('the local chain has blocks only for transactions, so that theirs is not the time', async () => {
  headMs = now - 86_400_000;
  expect(await create({ chainId: 31_337 }).read()).toEqual({ number: 7n, asOfMs: now });
  expect(warnings).toEqual([]);
});

test('a clock more than 30 s from the newest block is reported, once for each change', async () => {
  const reader = create();
  for (const gapMs of [-30_000, 30_000, 0, -31_000, -40_000, 0, 31_000]) {
    headMs = now + gapMs;
    await reader.read();
  }
  expect(warnings).toEqual(Array(2).fill(expect.stringContaining('Check the clock of this machine')));
});

test('an endpoint that does not answer has no newest block', async () => {
  const silent = { getBlock: () => Promise.reject(new BaseError('no answer')) } as unknown as typeof client;
  await expect(create({ client: silent }).read()).rejects.toMatchObject({ code: 'chain_unavailable' });
});
