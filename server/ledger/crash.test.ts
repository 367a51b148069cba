import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { BackgroundLedger } from './background-ledger.ts';
import { crashAt } from './crash-relay.ts';
import { someChannel, someCharge, someReserve, temporaryFolder, testKey, testScope } from './ledger-fixtures.ts';
import type { Ledger, ReserveRequest } from './ledger.ts';
import { openLedger } from './open-ledger.ts';

let folder: ReturnType<typeof temporaryFolder>;
let ledger: (Ledger & BackgroundLedger) | undefined;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(async () => {
  await ledger?.close();
  ledger = undefined;
  folder.remove();
});

async function open(): Promise<Ledger & BackgroundLedger> {
  const { dataDir } = folder;
  ledger = await openLedger({ dataDir, chainId: 31337, receiptScope: testScope, receiptKey: testKey });
  return ledger;
}

/** What the model's budget of the day has left. */
async function budgetLeft(after: Ledger, reserve: ReserveRequest): Promise<bigint> {
  const { channelId } = await after.upsertChannel(someChannel());
  const beyond = someReserve({ channelId, cumulativeAmount: 5_000n }, 401n, { budget: reserve.budget });
  const outcome = await after.reserve(beyond);
  if (outcome.ok || outcome.refusal.spending === undefined) throw new Error('the budget let it through');
  const { charged, reserved } = outcome.refusal.spending;
  return 400n - charged - reserved;
}

async function crash(until: string, commitDelayMs: number, changes: Partial<ReserveRequest> = {}) {
  const channel = someChannel();
  const before = await open();
  await before.upsertChannel(channel);
  await before.close();
  const request = someReserve({ channelId: channel.channelId, cumulativeAmount: 500n }, 400n);
  // The whole budget of the day: what is left after the crash is what the books say was charged.
  const day = Math.floor(request.admittedAtMs / 86_400_000);
  const reserve = { ...request, ...changes, budget: { day, limitAgpt: 400n, rate: 10n ** 18n } };
  const charge = someCharge(reserve.callId, 300n);
  const line = await crashAt(until, { dataDir: folder.dataDir, commitDelayMs, until, reserve, charge });
  return { channel, reserve, charge, line, after: await open() };
}

test('killed between decided and durable: nothing was reserved, the voucher is unused', async () => {
  const { channel, reserve, after } = await crash('decided', 3000);
  expect(await after.getChannel(channel.channelId)).toMatchObject({
    reserved: 0n,
    charged: 0n,
    acceptedCumulative: 0n,
  });
  expect(await budgetLeft(after, reserve)).toBe(400n);
  const outcome = await after.reserve(reserve);
  expect(outcome.ok).toBe(true);
  if (outcome.ok) await outcome.durable;
});

test('killed with a durable reservation: it is released as crashed, the voucher is used up', async () => {
  const { channel, reserve, charge, after } = await crash('durable', 0);
  expect(await after.getChannel(channel.channelId)).toMatchObject({
    reserved: 0n,
    charged: 0n,
    acceptedCumulative: 500n,
  });
  expect(await budgetLeft(after, reserve)).toBe(400n);
  await expect(after.charge(charge)).rejects.toThrow('was released before');
  const again = await after.reserve({ ...reserve, callId: someReserve(null, 0n).callId });
  expect(again).toMatchObject({ ok: false, refusal: { code: 'voucher_already_used', usedByCallId: reserve.callId } });
});

test('killed while the charge is being written: nothing was charged', async () => {
  const { channel, reserve, after } = await crash('charging', 2000);
  expect(await after.getChannel(channel.channelId)).toMatchObject({ reserved: 0n, charged: 0n, sequence: 0 });
  expect(await budgetLeft(after, reserve)).toBe(400n);
  expect(await after.getSignedReceipt(reserve.callId)).toBeUndefined();
  expect(await after.listEntries({ from: 0, limit: 9 })).toHaveLength(0);
});

test('killed after the charge: the receipt that was given out is the one in the books', async () => {
  const { channel, reserve, charge, line, after } = await crash('charged', 0);
  expect(await after.getChannel(channel.channelId)).toMatchObject({ reserved: 0n, charged: 300n, sequence: 1 });
  expect(await budgetLeft(after, reserve)).toBe(100n);
  const stored = await after.getSignedReceipt(reserve.callId);
  expect(stored && `charged ${encodeSignedReceipt(stored)}`).toBe(line);
  expect((await after.charge(charge)).signedReceipt).toBe(line.slice('charged '.length));
  expect(await after.listEntries({ from: 0, limit: 9 })).toHaveLength(1);
});

test('killed while a charge is being written with the reservation that waited for it: neither is', async () => {
  const { channel, reserve, after } = await crash('charging', 2000, { mayWait: true });
  expect(await after.getChannel(channel.channelId)).toMatchObject({
    reserved: 0n,
    charged: 0n,
    acceptedCumulative: 0n,
  });
  expect(await budgetLeft(after, reserve)).toBe(400n);
  expect(await after.getSignedReceipt(reserve.callId)).toBeUndefined();
});

test('killed after that charge: both are', async () => {
  const { channel, reserve, charge, line, after } = await crash('charged', 0, { mayWait: true });
  expect(await after.getChannel(channel.channelId)).toMatchObject({ reserved: 0n, charged: 300n, sequence: 1 });
  expect(await budgetLeft(after, reserve)).toBe(100n);
  expect((await after.charge(charge)).signedReceipt).toBe(line.slice('charged '.length));
});
