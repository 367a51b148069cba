import { beforeEach, expect, test } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { ChainClient } from './create-chain-client.ts';
import { createPriceTableWatcher } from './watch-price-table.ts';

const root: Hex = `0x${'ab'.repeat(32)}`;
const now = Date.now();
const at = Math.floor(now / 1_000);

let period: { from: bigint; until: bigint };
/** When the newest block was the present. */
let asOfMs: () => number;
let errors: string[];
beforeEach(() => {
  asOfMs = () => Date.now();
  period = { from: BigInt(at - 10), until: 0n };
  errors = [];
});

/** A PriceBook in memory; the real one is met in test/e2e. */
const client = { readContract: () => Promise.resolve(period) } as unknown as Pick<ChainClient, 'readContract'>;

function create(table: Hex | null = root) {
  const ignore = () => undefined;
  const log = { info: ignore, warn: ignore, error: (_: object, message: string) => void errors.push(message) };
  const head = { read: () => Promise.resolve({ number: 1n, asOfMs: asOfMs() }) };
  return createPriceTableWatcher({ client, head, priceBook: root, root: table, log, nowMs: () => Date.now() });
}

test('a table that was never published stops the start, with root and remedy', async () => {
  period = { from: 0n, until: 0n };
  const starting = create().requireInForce();
  await expect(starting).rejects.toMatchObject({ code: 'price_table_unpublished', facts: { priceRoot: root } });
  await expect(starting).rejects.toThrow(/was never published.*gov propose set-price/);
});

test('a table that was retired, or that holds much later, stops the start as well', async () => {
  period = { from: 1n, until: BigInt(at - 1) };
  await expect(create().requireInForce()).rejects.toThrow(/was retired as of/);
  period = { from: BigInt(at + 3_600), until: 0n };
  await expect(create().requireInForce()).rejects.toThrow(/holds only from/);
});

test('a chain whose clock is a little ahead is waited for', async () => {
  period = { from: BigInt(Math.floor(Date.now() / 1_000) + 1), until: 0n };
  const watcher = create();
  await watcher.requireInForce();
  expect(watcher.isInForce(Date.now())).toBe(true);
});

test('a table holds from its beginning until before its end, as the chain counts seconds', async () => {
  period = { from: 100n, until: 200n };
  const watcher = create();
  expect(watcher.isInForce(150_000)).toBe(false);
  await watcher.poll();
  expect([99_999, 100_000, 199_999, 200_000].map((ms) => watcher.isInForce(ms))).toEqual([false, true, true, false]);
});

test('a table that is retired while the relay runs is reported once', async () => {
  const watcher = create();
  await watcher.requireInForce();
  period = { ...period, until: BigInt(at - 1) };
  await watcher.poll();
  await watcher.poll();
  expect(watcher.isInForce(Date.now())).toBe(false);
  expect(errors).toEqual([expect.stringContaining('no longer in force')]);
});

test('a retirement that is announced ends the table at its time, without another look', async () => {
  period = { ...period, until: BigInt(at + 240) };
  const watcher = create();
  await watcher.requireInForce();
  const endMs = (at + 240) * 1_000;
  expect([endMs - 1, endMs].map((ms) => watcher.isInForce(ms))).toEqual([true, false]);
});

test('a table does not hold once the block that told of it is five minutes old', async () => {
  asOfMs = () => now - 60_000;
  const watcher = create();
  await watcher.requireInForce();
  expect([now + 240_000, now + 240_001].map((ms) => watcher.isInForce(ms))).toEqual([true, false]);
  // An endpoint that is stuck answers every time, and says nothing new.
  await watcher.poll();
  expect(watcher.isInForce(now + 240_001)).toBe(false);
  asOfMs = () => now;
  await watcher.poll();
  expect(watcher.isInForce(now + 300_000)).toBe(true);
});

test('without a price there is no table to publish', async () => {
  period = { from: 0n, until: 0n };
  const watcher = create(null);
  await watcher.requireInForce();
  expect(watcher.isInForce(Date.now())).toBe(true);
});
