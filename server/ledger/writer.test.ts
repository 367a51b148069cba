import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { signedOf, someCharge, someReserve, temporaryFolder, testKey, testScope } from './ledger-fixtures.ts';
import type { Ledger } from './ledger.ts';
import { openLedger } from './open-ledger.ts';

let folder: ReturnType<typeof temporaryFolder>;
let ledger: Ledger;
beforeEach(async () => {
  folder = temporaryFolder();
  ledger = await open(200);
});
afterEach(async () => {
  await ledger.close();
  folder.remove();
});

function open(commitDelayMs: number): Promise<Ledger> {
  const scopes = { chainId: testScope.chainId, receiptScope: testScope, receiptKey: testKey };
  return openLedger({ dataDir: folder.dataDir, ...scopes, commitDelayMs });
}

async function reopen(commitDelayMs: number): Promise<void> {
  await ledger.close();
  ledger = await open(commitDelayMs);
}

/** Ids of calls that are reserved. A commit is under way when this resolves, for most of its delay: what is posted then waits for it. */
async function reserveMany(count: number): Promise<string[]> {
  const requests = Array.from({ length: count }, () => someReserve(null, 0n));
  const outcomes = await Promise.all(requests.map((request) => ledger.reserve(request)));
  for (const outcome of outcomes) if (outcome.ok) await outcome.durable;
  await ledger.reserve(someReserve(null, 0n));
  // It is decided; the commit begins when the writer sees that nothing more has come.
  await new Promise((resolve) => setTimeout(resolve, 30));
  return requests.map(({ callId }) => callId);
}

async function batchSizes(charges: readonly ReturnType<Ledger['charge']>[]): Promise<number[]> {
  return (await Promise.all(charges)).map((result) => signedOf(result).size);
}

test('all groups that came during a commit are one transaction: one batch, one signature', async () => {
  const callIds = await reserveMany(3);
  const charges: ReturnType<Ledger['charge']>[] = [];
  for (const callId of callIds) {
    charges.push(ledger.charge(someCharge(callId, 0n)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await batchSizes(charges)).toEqual([3, 3, 3]);
});

test('where commits are slow, a transaction takes what came in their time, up to its bound', async () => {
  const callIds = await reserveMany(600);
  const sizes = await batchSizes(callIds.map((callId) => ledger.charge(someCharge(callId, 0n))));
  expect(sizes).toEqual([...Array<number>(512).fill(512), ...Array<number>(88).fill(88)]);
});

test('where commits are quick, it takes no longer than it must', async () => {
  await reopen(0);
  const callIds = await reserveMany(100);
  const other = new DatabaseSync(join(folder.dataDir, 'ledger.sqlite'));
  try {
    // The writer waits for this at its next transaction, much longer than a commit takes.
    other.exec('BEGIN IMMEDIATE');
    const sizes = batchSizes(callIds.map((callId) => ledger.charge(someCharge(callId, 0n))));
    await new Promise((resolve) => setTimeout(resolve, 300));
    other.exec('ROLLBACK');
    expect((await sizes).slice(0, 64)).toEqual(Array<number>(64).fill(64));
  } finally {
    other.close();
  }
});
