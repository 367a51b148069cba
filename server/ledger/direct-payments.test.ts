import { afterEach, beforeEach, expect, test } from 'vitest';
import type { BackgroundLedger } from './background-ledger.ts';
import { crashAt } from './crash-relay.ts';
import {
  someCharge,
  someDirectReserve,
  someKey,
  somePayment,
  someReserve,
  temporaryFolder,
  testKey,
  testScope,
} from './ledger-fixtures.ts';
import { answersKeptMs, type Ledger, type ReserveOutcome, type StoredAnswer } from './ledger.ts';
import { openLedger } from './open-ledger.ts';
import { maxChargesPerPage } from './spending-store.ts';

/*
 * Direct payments through the real writer thread: concurrency, and a process that dies at every step.
 */

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

function codeOf(outcome: ReserveOutcome): string {
  return outcome.ok ? 'ok' : outcome.refusal.code;
}

const answer: StoredAnswer = { contentType: 'application/json', headers: {}, body: Buffer.from('{"id":1}') };
const transactionHash = `0x${'11'.repeat(32)}` as const;

test.each([
  ['with its id as idempotency key', 'idempotent_repeat'],
  ['without a key', 'payment_already_used'],
])('50 identical payments at once, %s: one is admitted, charged once, and settled once', async (_name, refused) => {
  const books = await open();
  const payment = somePayment();
  const { paymentId } = payment;
  const idempotency = refused === 'idempotent_repeat' ? someKey(paymentId) : null;
  const requests = Array.from({ length: 50 }, () => someDirectReserve(payment, 400n, { idempotency }));
  const outcomes = await Promise.all(
    requests.map(async (request, index) => {
      // Over several groups, as requests come.
      if (index % 7 === 0) await new Promise(setImmediate);
      return books.reserve(request);
    }),
  );
  expect(outcomes.map(codeOf).filter((code) => code === refused)).toHaveLength(49);
  const winner = requests[outcomes.findIndex((outcome) => outcome.ok)];
  if (winner === undefined) throw new Error('none was admitted');
  for (const outcome of outcomes) if (!outcome.ok) expect(outcome.refusal.usedByCallId).toBe(winner.callId);
  const charges = await Promise.all(
    Array.from({ length: 50 }, () => books.charge({ ...someCharge(winner.callId, 300n), answer })),
  );
  expect(new Set(charges.map(({ receipt }) => receipt.attemptsDigest)).size).toBe(1);
  expect((await books.listDuePayments({ limit: 99 })).map((due) => due.captured)).toEqual([1_000n]);
  await Promise.all(Array.from({ length: 50 }, () => books.settlePayment({ paymentId, transactionHash })));
  expect(await books.getPayment(paymentId)).toMatchObject({ state: 'settled', charge: 300n, captured: 1_000n });
  const bookings = await Promise.all(Array.from({ length: 5 }, () => books.openPaymentBooking({ maxPayments: 9 })));
  expect(bookings.filter((booking) => booking !== undefined)).toMatchObject([
    { spends: [{ amount: 300n }], refunds: [{ to: payment.payer, amount: 700n }] },
  ]);
});

async function crash(until: string, commitDelayMs: number) {
  await (await open()).close();
  const payment = somePayment();
  const reserve = someDirectReserve(payment, 400n, {
    // Or a restart would forget the key.
    admittedAtMs: Date.now(),
    idempotency: someKey(payment.paymentId),
    scopes: [{ id: 'key:a', window: 0, limit: 400n, endsAtSeconds: null }],
  });
  const charge = { ...someCharge(reserve.callId, 300n), answer };
  await crashAt(until, { dataDir: folder.dataDir, commitDelayMs, until, reserve, charge });
  const after = await open();
  const { callId } = someReserve(null, 0n);
  return { payment, reserve, again: { ...reserve, callId }, charge, after };
}

test('killed between decided and durable: the payment was never reserved', async () => {
  const { payment, reserve, after } = await crash('decided', 3000);
  expect(await after.getPayment(payment.paymentId)).toBeUndefined();
  expect(codeOf(await after.reserve(reserve))).toBe('ok');
});

test('killed with a durable reservation: the same payload may be tried again', async () => {
  const { payment, reserve, again, charge, after } = await crash('durable', 0);
  expect(await after.getPayment(payment.paymentId)).toMatchObject({ state: 'released', callId: reserve.callId });
  await expect(after.charge(charge)).rejects.toThrow('was released before');
  expect(codeOf(await after.reserve(again))).toBe('ok');
  const { payment: due } = await after.charge({ ...charge, callId: again.callId });
  expect(due).toEqual({ paymentId: payment.paymentId, captured: 1_000n });
});

test('killed while the charge is being written: nothing is due, and the same payload may be tried again', async () => {
  const { again, after } = await crash('charging', 2000);
  expect(await after.listDuePayments({ limit: 9 })).toEqual([]);
  expect(codeOf(await after.reserve(again))).toBe('ok');
});

test('killed after the charge: the payment is due, and whoever asks again gets the first answer', async () => {
  const { payment, reserve, again, after } = await crash('charged', 0);
  expect(await after.listDuePayments({ limit: 9 })).toMatchObject([
    { paymentId: payment.paymentId, state: 'due', callId: reserve.callId, charge: 300n, captured: 1_000n },
  ]);
  const repeated = await after.reserve(again);
  expect(repeated).toMatchObject({
    refusal: { code: 'idempotent_repeat', usedByCallId: reserve.callId, usedByState: 'charged' },
  });
  const found = await after.findAnswer(reserve.callId);
  expect(found).toMatchObject({ state: 'charged', result: { receipt: { amount: 300n, refundOwed: 700n } } });
  expect(Buffer.from(found?.answer?.body ?? []).toString()).toBe('{"id":1}');
  expect(await after.listDuePayments({ limit: 9 })).toHaveLength(1);
});

test('a sweep forgets all keys and answers that are old enough, however many', async () => {
  const books = await open();
  const requests = Array.from({ length: 120 }, (_, index) =>
    someReserve(null, 0n, { idempotency: someKey(`k${index}`) }),
  );
  await Promise.all(requests.map((request) => books.reserve(request)));
  await Promise.all(requests.map(({ callId }) => books.charge({ ...someCharge(callId, 0n), answer })));
  const [first, last] = [requests.at(0), requests.at(-1)];
  const kept = (nowMs: number) => books.sweep(nowMs).then(() => books.findAnswer(last?.callId ?? ''));
  expect((await kept((first?.admittedAtMs ?? 0) + answersKeptMs))?.answer).not.toBeNull();
  expect((await kept((first?.admittedAtMs ?? 0) + answersKeptMs + 1))?.answer).toBeNull();
  expect(await books.findRepeat(someKey('k119'))).toBeUndefined();
});

test('sums spending over more charges than one page reads', async () => {
  const books = await open();
  const count = maxChargesPerPage + 1;
  const requests = Array.from({ length: count }, () => someReserve(null, 0n));
  await Promise.all(requests.map((request) => books.reserve(request)));
  await Promise.all(requests.map(({ callId }) => books.charge({ ...someCharge(callId, 0n), attempts: [] })));
  expect(await books.listSpending({ groupBy: ['model'] })).toMatchObject([{ model: 'sim-small', calls: count }]);
}, 60_000);
