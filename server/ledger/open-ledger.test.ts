import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addressOfPrivateKey } from '../../protocol/bytes/secp256k1.ts';
import { verifySignedReceipt } from '../../protocol/receipt/verify-signed-receipt.ts';
import type { BackgroundLedger } from './background-ledger.ts';
import {
  breakCommits,
  signedOf,
  someChannel,
  someCharge,
  someReserve,
  temporaryFolder,
  testKey,
  testScope,
} from './ledger-fixtures.ts';
import type { Ledger, ReserveOutcome } from './ledger.ts';
import { openLedger, type OpenLedgerOptions } from './open-ledger.ts';

let folder: ReturnType<typeof temporaryFolder>;
const opened: Ledger[] = [];
const saboteurs: DatabaseSync[] = [];
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(async () => {
  for (const ledger of opened.splice(0)) await ledger.close();
  for (const saboteur of saboteurs.splice(0)) saboteur.close();
  folder.remove();
});

async function open(overrides: Partial<OpenLedgerOptions> = {}): Promise<Ledger & BackgroundLedger> {
  const { dataDir } = folder;
  const ledger = await openLedger({
    dataDir,
    chainId: testScope.chainId,
    receiptScope: testScope,
    receiptKey: testKey,
    ...overrides,
  });
  opened.push(ledger);
  return ledger;
}

/** Makes the commits of reservations fail, by a connection of its own, until it is mended by what this returns. */
function sabotage(): () => void {
  const saboteur = new DatabaseSync(join(folder.dataDir, 'ledger.sqlite'));
  saboteurs.push(saboteur);
  return breakCommits(saboteur);
}

async function durable(outcome: ReserveOutcome): Promise<void> {
  if (!outcome.ok) throw new Error(outcome.refusal.code);
  await outcome.durable;
}

const agpt10k = 10n ** 22n;

test('reserves, charges and sums 10,000 AGPT exactly', async () => {
  const ledger = await open();
  const channel = await ledger.upsertChannel(someChannel({ deposit: 3n * agpt10k }));
  for (const step of [1n, 2n, 3n]) {
    const voucher = { channelId: channel.channelId, cumulativeAmount: step * agpt10k };
    const request = someReserve(voucher, agpt10k);
    const outcome = await ledger.reserve(request);
    expect(outcome).toMatchObject({ ok: true, channel: { reserved: agpt10k } });
    await durable(outcome);
    const { receipt } = await ledger.charge(someCharge(request.callId, agpt10k - step));
    expect(receipt.amount).toBe(agpt10k - step);
  }
  expect(await ledger.getChannel(channel.channelId)).toMatchObject({ charged: 3n * agpt10k - 6n, reserved: 0n });
  const collection = await ledger.openCollection({ maxClaims: 1 });
  await ledger.finishCollection({ id: collection?.id ?? 0, transactionHash: `0x${'11'.repeat(32)}`, skipped: [] });
  expect((await ledger.listPendingBookings())[0]?.spends.map((spend) => spend.amount)).toEqual([3n * agpt10k - 6n]);
});

test('1,000 parallel reservations against headroom for 100 admit exactly 100', async () => {
  const ledger = await open();
  const { channelId } = await ledger.upsertChannel(someChannel({ deposit: 1_000_000n }));
  const outcomes = await Promise.all(
    Array.from({ length: 1000 }, (_, index) =>
      ledger.reserve(someReserve({ channelId, cumulativeAmount: BigInt(index + 1) }, 10n)),
    ),
  );
  // The highest voucher allows 1,000 units. Headroom grew as the vouchers came, and never beyond 100 calls of 10.
  const admitted = outcomes.filter((outcome) => outcome.ok);
  expect(admitted).toHaveLength(100);
  await Promise.all(admitted.map(durable));
  const refused = outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.refusal.code]));
  expect(new Set(refused)).toEqual(new Set(['insufficient_headroom']));
  expect(await ledger.getChannel(channelId)).toMatchObject({ reserved: 1000n, acceptedCumulative: 1000n });
});

test('1,000 parallel reservations against a budget for 100 admit exactly 100, and a restart keeps the count', async () => {
  const ledger = await open();
  const channels = await Promise.all(Array.from({ length: 10 }, () => ledger.upsertChannel(someChannel())));
  const { admittedAtMs } = someReserve(null, 0n);
  // At 3 AGPT wei per unit a call of 10 units counts 30.
  const budget = { day: Math.floor(admittedAtMs / 86_400_000), limitAgpt: 3_029n, rate: 3n * 10n ** 18n };
  const requests = Array.from({ length: 1000 }, (_, index) => {
    const channelId = channels[index % 10]?.channelId ?? '0x';
    return someReserve({ channelId, cumulativeAmount: 500_000n + BigInt(index) }, 10n, { budget });
  });
  const outcomes = await Promise.all(requests.map((request) => ledger.reserve(request)));
  const admitted = outcomes.filter((outcome) => outcome.ok);
  expect(admitted).toHaveLength(100);
  await Promise.all(admitted.map(durable));
  const refused = outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.refusal]));
  expect(new Set(refused.map((refusal) => refusal.code))).toEqual(new Set(['model_budget_exceeded']));
  expect(refused[0]?.spending).toEqual({ charged: 0n, reserved: 3_000n, quote: 30n });

  // One is charged less than it held; the other 99 are left behind by a process that ends.
  const [first] = requests.filter((_, index) => outcomes[index]?.ok);
  await ledger.charge(someCharge(first?.callId ?? '', 4n));
  await ledger.close();
  const reopened = await open();
  const whole = someReserve({ channelId: channels[0]?.channelId ?? '0x', cumulativeAmount: 900_000n }, 1_006n, {
    budget,
  });
  expect(await reopened.reserve(whole)).toMatchObject({
    ok: false,
    refusal: { spending: { charged: 12n, reserved: 0n, quote: 3_018n } },
  });
  await durable(await reopened.reserve({ ...whole, quote: 1_005n }));
});

test('with a commit delay, `decided` comes before `durable`, and a charge not before its commit', async () => {
  const commitDelayMs = 300;
  const ledger = await open({ commitDelayMs });
  const { channelId } = await ledger.upsertChannel(someChannel());
  const request = someReserve({ channelId, cumulativeAmount: 100n }, 100n);
  const outcome = await ledger.reserve(request);
  const decidedAt = performance.now();
  await durable(outcome);
  expect(performance.now() - decidedAt).toBeGreaterThan(commitDelayMs * 0.9);
  const postedAt = performance.now();
  await ledger.charge(someCharge(request.callId, 1n));
  expect(performance.now() - postedAt).toBeGreaterThan(commitDelayMs * 0.9);
});

test('a reservation that may wait is durable with its charge, and without one by itself', async () => {
  const ledger = await open();
  const channel = await ledger.upsertChannel(someChannel());
  const reserve = (step: bigint) =>
    someReserve({ channelId: channel.channelId, cumulativeAmount: step * 100n }, 100n, { mayWait: true });
  const [first, second] = [reserve(1n), reserve(2n)];
  const outcome = await ledger.reserve(first);
  const [charged] = await Promise.all([ledger.charge(someCharge(first.callId, 40n)), durable(outcome)]);
  expect(charged.channel).toMatchObject({ charged: 40n, reserved: 0n, sequence: 1 });
  // Nothing follows, until the ledger is closed.
  await durable(await ledger.reserve(second));
  await ledger.close();
  const again = await open();
  expect(await again.getChannel(channel.channelId)).toMatchObject({ acceptedCumulative: 200n, reserved: 0n });
});

test('what is posted while a group is under way goes as one group', async () => {
  const ledger = await open({ commitDelayMs: 100 });
  const { channelId } = await ledger.upsertChannel(someChannel());
  const requests = [1n, 2n, 3n, 4n].map((step) => someReserve({ channelId, cumulativeAmount: step * 10n }, 10n));
  await Promise.all((await Promise.all(requests.map((request) => ledger.reserve(request)))).map(durable));
  const busy = ledger.getChannel(channelId);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const results = await Promise.all(requests.map(({ callId }) => ledger.charge(someCharge(callId, 5n))));
  await busy;
  const receipts = results.map(signedOf);
  expect(receipts.map(({ index, size }) => [index, size])).toEqual([0, 1, 2, 3].map((index) => [index, 4]));
  for (const signed of receipts) {
    verifySignedReceipt(signed, { scope: testScope, signer: addressOfPrivateKey(testKey) });
  }
});

test('a commit that fails rejects `durable` and charges; the ledger goes on', async () => {
  const ledger = await open();
  const { channelId } = await ledger.upsertChannel(someChannel());
  const mend = sabotage();
  const request = someReserve({ channelId, cumulativeAmount: 100n }, 100n);
  const [outcome, neighbour] = await Promise.allSettled([ledger.reserve(request), ledger.getChannel(channelId)]);
  if (outcome.status !== 'fulfilled' || !outcome.value.ok) throw new Error('the reservation was not decided');
  await expect(outcome.value.durable).rejects.toMatchObject({ code: 'internal_error' });
  expect(neighbour).toMatchObject({ status: 'rejected', reason: { code: 'internal_error' } });
  expect(await ledger.getChannel(channelId)).toMatchObject({ reserved: 0n, acceptedCumulative: 0n });

  mend();
  await durable(await ledger.reserve(request));
  await ledger.charge(someCharge(request.callId, 1n));
});

test('a commit that fails rejects all who waited for it, and nobody else', async () => {
  const ledger = await open();
  const { channelId } = await ledger.upsertChannel(someChannel());
  const mend = sabotage();
  const requests = [1n, 2n].map((step) =>
    someReserve({ channelId, cumulativeAmount: step * 100n }, 100n, { mayWait: true }),
  );
  const outcomes: ReserveOutcome[] = [];
  for (const request of requests) outcomes.push(await ledger.reserve(request));
  const [first] = requests;
  const charged = ledger.charge(someCharge(first?.callId ?? '', 40n));
  const all = await Promise.allSettled([...outcomes.map(durable), charged]);
  expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  mend();
  expect(await ledger.getChannel(channelId)).toMatchObject({ reserved: 0n, charged: 0n, acceptedCumulative: 0n });
  await Promise.all((await Promise.all(requests.map((request) => ledger.reserve(request)))).map(durable));
  // It would wait for ever for whom it had not told.
  await ledger.close();
});

test('a reservation whose group fails before it is decided rejects', async () => {
  const ledger = await open();
  const broken = ledger.reserve(someReserve(null, 5n));
  await expect(broken).rejects.toMatchObject({ code: 'internal_error', message: expect.stringContaining('quote 0') });
});

test('a folder has one ledger at a time, and is free again after close', async () => {
  const ledger = await open();
  await expect(open()).rejects.toMatchObject({ code: 'data_dir_locked' });
  await ledger.close();
  expect(existsSync(join(folder.dataDir, 'relay.lock'))).toBe(false);
  await open();
});

test('close finishes what was posted', async () => {
  const ledger = await open();
  const channel = someChannel();
  const posted = ledger.upsertChannel(channel);
  await ledger.close();
  expect((await posted).channelId).toBe(channel.channelId);
  expect(await (await open()).getChannel(channel.channelId)).toMatchObject(channel);
});

test('close commits what waits first', async () => {
  const ledger = await open();
  const { channelId } = await ledger.upsertChannel(someChannel());
  const outcome = await ledger.reserve(someReserve({ channelId, cumulativeAmount: 100n }, 100n, { mayWait: true }));
  await Promise.all([ledger.close(), durable(outcome)]);
  expect(await (await open()).getChannel(channelId)).toMatchObject({ acceptedCumulative: 100n, reserved: 0n });
});

test("a ledger of another deployment or of a newer version is refused, and the folder's lock given back", async () => {
  await (await open()).close();
  const other = { chainId: 10, verifyingContract: testScope.verifyingContract };
  await expect(open({ chainId: 10, receiptScope: other })).rejects.toMatchObject({ code: 'invalid_configuration' });
  await expect(open({ chainId: 10 })).rejects.toMatchObject({ code: 'invalid_configuration' });
  const db = new DatabaseSync(join(folder.dataDir, 'ledger.sqlite'));
  db.exec('PRAGMA user_version = 99');
  db.close();
  await expect(open()).rejects.toThrow('schema version 99');
  expect(existsSync(join(folder.dataDir, 'relay.lock'))).toBe(false);
});

test('a ledger that an earlier build wrote is refused by name, not by the first statement that misses a column', async () => {
  const db = new DatabaseSync(join(folder.dataDir, 'ledger.sqlite'));
  db.exec('CREATE TABLE channels (channel_id BLOB); PRAGMA user_version = 1');
  db.close();
  await expect(open()).rejects.toMatchObject({
    code: 'invalid_configuration',
    message: expect.stringMatching(/another build.*channels.*move the data folder/) as string,
  });
});

test('the file is for its owner only: it holds the salts of the commitments', async () => {
  await open();
  for (const name of ['ledger.sqlite', 'ledger.sqlite-wal']) {
    expect(statSync(join(folder.dataDir, name)).mode & 0o077).toBe(0);
  }
});
