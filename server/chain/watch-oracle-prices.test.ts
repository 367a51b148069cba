import { BaseError, ContractFunctionRevertedError } from 'viem';
import { beforeEach, expect, test } from 'vitest';
import { priceOracleAbi } from '../../protocol/abi/price-oracle.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { ChainClient } from './create-chain-client.ts';
import { createOracleWatcher } from './watch-oracle-prices.ts';

const token: Hex = `0x${'e1'.repeat(20)}`;
const start = 1_800_000_000_000;
const at = start / 1_000;

let nowMs: number;
/** When the newest block was the present. */
let asOfMs: () => number;
let answer: { price: { answer: bigint; decimals: number; roundId: bigint; updatedAt: bigint } } | { error: Error };
let logged: string[];
/** The blocks at which the oracle was asked. */
let asked: (bigint | undefined)[];
beforeEach(() => {
  nowMs = start;
  asOfMs = () => nowMs;
  asked = [];
  answer = priceOf(1n, at - 100);
  logged = [];
});

const priceOf = (roundId: bigint, updatedAt: number) => ({
  price: { answer: 10n ** 8n + roundId, decimals: 8, roundId, updatedAt: BigInt(updatedAt) },
});

/** A chain in memory, because a feed that goes stale or down takes days on a real one. */
const client = {
  readContract: ({ functionName, blockNumber }: { functionName: string; blockNumber?: bigint }) => {
    asked.push(blockNumber);
    if ('error' in answer) return Promise.reject(answer.error);
    return Promise.resolve(functionName === 'latestPrice' ? answer.price : [token, 3_600]);
  },
} as unknown as Pick<ChainClient, 'readContract'>;

const create = () => {
  const log = (level: string) => (_: object, message: string) => void logged.push(`${level}: ${message}`);
  return createOracleWatcher({
    client,
    head: { read: () => Promise.resolve({ number: 7n, asOfMs: asOfMs() }) },
    priceOracle: token,
    tokens: [{ address: token, symbol: 'WETH' }],
    log: { info: log('info'), warn: log('warn'), error: log('error') },
  });
};
const stale = () =>
  new ContractFunctionRevertedError({ abi: priceOracleAbi, functionName: 'latestPrice', message: 'stale' });

test('knows no price before it has asked, and then the round of the oracle', async () => {
  const watcher = create();
  expect(watcher.oraclePrice(token, nowMs)).toBeUndefined();
  await watcher.poll();
  expect(watcher.oraclePrice(token, nowMs)).toEqual({
    answer: 10n ** 8n + 1n,
    decimals: 8,
    roundId: 1n,
    updatedAt: at - 100,
  });
  expect(watcher.oraclePrice(`0x${'00'.repeat(20)}`, nowMs)).toBeUndefined();
});

test('takes a round only from its own time on, and the one before until then', async () => {
  const watcher = create();
  await watcher.poll();
  answer = priceOf(2n, at + 10);
  await watcher.poll();
  expect(watcher.oraclePrice(token, nowMs)?.roundId).toBe(1n);
  expect(watcher.oraclePrice(token, nowMs + 9_999)?.roundId).toBe(1n);
  expect(watcher.oraclePrice(token, nowMs + 10_000)?.roundId).toBe(2n);
});

test('uses no round beyond its heartbeat, and nothing that was read more than a minute ago', async () => {
  answer = priceOf(1n, at - 3_590);
  const watcher = create();
  await watcher.poll();
  expect(watcher.oraclePrice(token, nowMs + 10_000)?.roundId).toBe(1n);
  expect(watcher.oraclePrice(token, nowMs + 11_000)).toBeUndefined();
  answer = priceOf(2n, at - 1);
  await watcher.poll();
  expect(watcher.oraclePrice(token, nowMs + 60_000)?.roundId).toBe(2n);
  expect(watcher.oraclePrice(token, nowMs + 60_001)).toBeUndefined();
});

test('reads at one block, and uses nothing once that block is a minute old, however often it is asked', async () => {
  const watcher = create();
  asOfMs = () => start - 20_000;
  await watcher.poll();
  expect(asked).toEqual([7n, 7n]);
  nowMs = start + 40_000;
  await watcher.poll();
  expect(watcher.oraclePrice(token, nowMs)?.roundId).toBe(1n);
  nowMs += 1;
  await watcher.poll();
  expect(watcher.oraclePrice(token, nowMs)).toBeUndefined();
});

test('keeps the round before only if there is no gap in which another one may have been', async () => {
  for (const [gapMs, before] of [
    [60_000, 1n],
    [60_001, undefined],
  ] as const) {
    nowMs = start;
    answer = priceOf(1n, at - 100);
    const watcher = create();
    await watcher.poll();
    nowMs += gapMs;
    answer = priceOf(2n, at + 100);
    await watcher.poll();
    expect(watcher.oraclePrice(token, nowMs)?.roundId).toBe(before);
  }
});

test('forgets a price that the oracle refuses, says so once, and takes the next', async () => {
  const watcher = create();
  await watcher.poll();
  answer = { error: stale() };
  await watcher.poll();
  await watcher.poll();
  expect(watcher.oraclePrice(token, nowMs)).toBeUndefined();
  expect(logged).toEqual(['warn: the oracle has no price; calls cannot be paid in this token']);
  answer = priceOf(3n, at);
  await watcher.poll();
  expect(watcher.oraclePrice(token, nowMs)?.roundId).toBe(3n);
  expect(logged.at(-1)).toBe('info: the oracle has a price again');
});

test('keeps for a minute what it knows where the chain does not answer', async () => {
  const watcher = create();
  await watcher.poll();
  answer = { error: new BaseError('no answer') };
  await expect(watcher.poll()).rejects.toMatchObject({ code: 'chain_unavailable' });
  expect(watcher.oraclePrice(token, nowMs)?.roundId).toBe(1n);
});
