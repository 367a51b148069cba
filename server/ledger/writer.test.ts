import { afterEach, beforeEach, expect, test } from 'vitest';
import { signedOf, someCharge, someReserve, temporaryFolder, testKey, testScope } from './ledger-fixtures.ts';
import type { Ledger } from './ledger.ts';
import { openLedger } from './open-ledger.ts';

let folder: ReturnType<typeof temporaryFolder>;
let ledger: Ledger;
beforeEach(async () => {
  folder = temporaryFolder();
  const scopes = { chainId: testScope.chainId, receiptScope: testScope, receiptKey: testKey };
  ledger = await openLedger({ dataDir: folder.dataDir, ...scopes, commitDelayMs: 100 });
});
afterEach(async () => {
  await ledger.close();
  folder.remove();
});

/** Ids of calls that are reserved. The commit of one more is under way when this resolves: what is posted then waits for it. */
async function reserveMany(count: number): Promise<string[]> {
  const requests = Array.from({ length: count }, () => someReserve(null, 0n));
  const outcomes = await Promise.all(requests.map((request) => ledger.reserve(request)));
  for (const outcome of outcomes) if (outcome.ok) await outcome.durable;
  await ledger.reserve(someReserve(null, 0n));
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

test('a transaction is bounded, however much there is to do', async () => {
  const callIds = await reserveMany(150);
  const sizes = await batchSizes(callIds.map((callId) => ledger.charge(someCharge(callId, 0n))));
  expect(sizes).toEqual([...Array<number>(64).fill(64), ...Array<number>(64).fill(64), ...Array<number>(22).fill(22)]);
});
