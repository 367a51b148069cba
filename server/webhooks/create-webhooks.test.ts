import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { zeroBytes32, toHex } from '../../protocol/bytes/hex.ts';
import { temporaryFolder } from '../ledger/ledger-fixtures.ts';
import type { RelayLedger } from '../ledger/open-ledger.ts';
import { createWebhooks, type CreateWebhooksOptions, type Webhooks } from './create-webhooks.ts';
import { retryPausesMs } from './deliver-receipts.ts';
import { chargeOne, openTestLedger, someSecret, startReceiver, type TestReceiver } from './webhook-fixture.ts';

const secret = someSecret();
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
let folder: ReturnType<typeof temporaryFolder>;
let ledger: RelayLedger;
let receiver: TestReceiver;
/** The clock of the deliveries; messages are signed with the real time. */
let nowMs: number;

beforeEach(async () => {
  folder = temporaryFolder();
  ledger = await openTestLedger(folder.dataDir);
  receiver = await startReceiver();
  nowMs = Date.now();
});

afterEach(async () => {
  await receiver.close();
  await ledger.close();
  folder.remove();
});

async function openWebhooks(options: Partial<CreateWebhooksOptions> = {}): Promise<Webhooks> {
  const webhooks = await createWebhooks({
    config: { webhooks: [{ url: receiver.url, secretEnv: 'HOOK' }] },
    ...{ ledger, env: { HOOK: secret }, log: quiet, nowMs: () => nowMs, random: () => 0, intervalMs: 5 },
    ...options,
  });
  onTestFinished(() => webhooks.stop());
  return webhooks;
}

const idsOf = () => receiver.received.map(({ headers }) => headers['webhook-id']);
const progressOf = async (webhooks: Webhooks) => (await webhooks.progress())[0];
const done = { behind: 0, waiting: 0, dead: 0, gone: false };
const eventually = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 15_000, interval: 20 });

test('a receipt is told with a signature that a library verifies, and without what opens it', async () => {
  await chargeOne(ledger);
  const webhooks = await openWebhooks();
  const callId = await chargeOne(ledger);
  webhooks.start();
  await receiver.sawAtLeast(1);
  await eventually(async () => expect(await progressOf(webhooks)).toMatchObject(done));
  // Not the one that was there before the webhook.
  expect(idsOf()).toEqual([`receipt_${callId}`]);
  const [message] = receiver.received;
  if (!message) throw new Error('no message');
  const headers = { ...message.headers } as Record<string, string>;
  const told = new Webhook(secret).verify(message.body, headers);
  expect(told).toMatchObject({
    type: 'receipt.created',
    data: { index: 1, chainId: 31337, receipt: { callId, amount: '0', provider: 'simulated' } },
  });
  const { signedReceipt } = (told as { data: { signedReceipt: string } }).data;
  const stored = await ledger.getSignedReceipt(callId);
  const signed = decodeSignedReceipt(signedReceipt);
  expect([toHex(signed.requestSalt), toHex(signed.responseSalt)]).toEqual([zeroBytes32, zeroBytes32]);
  expect(Buffer.from(signed.signature)).toEqual(Buffer.from(stored?.signature ?? []));
  for (const salt of [stored?.requestSalt, stored?.responseSalt]) {
    expect(Buffer.from(signedReceipt, 'base64').includes(Buffer.from(salt ?? []))).toBe(false);
  }
});

test('receipts of one commit and of many are told in the order of the log', async () => {
  const webhooks = await openWebhooks();
  await Promise.all(Array.from({ length: 70 }, () => chargeOne(ledger)));
  for (let count = 0; count < 10; count += 1) await chargeOne(ledger);
  const entries = await ledger.listEntries({ from: 0, limit: 100 });
  const wanted = entries.map(({ callId }) => `receipt_${callId}`);
  let most = 0;
  let open = 0;
  receiver.answer = (response) => {
    most = Math.max(most, (open += 1));
    setImmediate(() => {
      open -= 1;
      response.writeHead(204).end();
    });
  };
  webhooks.start();
  await receiver.sawAtLeast(80);
  expect([...idsOf()].sort()).toEqual([...wanted].sort());
  // One begins when all but fifteen of those before it have ended.
  idsOf().forEach((id, at) => expect(wanted.indexOf(String(id)) - at).toBeLessThan(16));
  expect(most).toBeLessThanOrEqual(16);
  expect(most).toBeGreaterThan(1);
});

test('a crash after the receiver took it, and before that is recorded, tells it again with the same id and bytes', async () => {
  const cut = { ...ledger, recordDeliveries: () => new Promise<void>(() => undefined) };
  const crashing = await createWebhooks({
    config: { webhooks: [{ url: receiver.url, secretEnv: 'HOOK' }] },
    ...{ ledger: cut, env: { HOOK: secret }, log: quiet, nowMs: () => nowMs, intervalMs: 5 },
  });
  const callId = await chargeOne(ledger);
  crashing.start();
  await receiver.sawAtLeast(1);
  await ledger.close();
  ledger = await openTestLedger(folder.dataDir);
  const webhooks = await openWebhooks();
  webhooks.start();
  await receiver.sawAtLeast(2);
  expect(idsOf()).toEqual([`receipt_${callId}`, `receipt_${callId}`]);
  expect(receiver.received[1]?.body).toBe(receiver.received[0]?.body);
  await eventually(async () => expect(await progressOf(webhooks)).toMatchObject(done));
});

test('what was charged while no relay delivered is told after the restart', async () => {
  const first = await openWebhooks();
  await first.stop();
  const callId = await chargeOne(ledger);
  await ledger.close();
  ledger = await openTestLedger(folder.dataDir);
  (await openWebhooks()).start();
  await receiver.sawAtLeast(1);
  expect(idsOf()).toEqual([`receipt_${callId}`]);
});

test('a receiver that flaps gets what it missed, and what came meanwhile does not wait for it', async () => {
  const webhooks = await openWebhooks();
  const first = await chargeOne(ledger);
  receiver.answer = (response) => response.writeHead(503).end('down');
  webhooks.start();
  await eventually(async () => expect(await progressOf(webhooks)).toMatchObject({ behind: 0, waiting: 1, dead: 0 }));
  receiver.answer = (response) => response.writeHead(200).end('ok');
  const second = await chargeOne(ledger);
  await receiver.sawAtLeast(2);
  expect(await ledger.listFailedDeliveries({ limit: 10 })).toMatchObject([
    { callId: first, attempts: 1, nextAtMs: nowMs + 5_000, reason: 'answered with status 503' },
  ]);
  nowMs += 5_000;
  await receiver.sawAtLeast(3);
  expect(idsOf()).toEqual([first, second, first].map((callId) => `receipt_${callId}`));
  await eventually(async () => expect(await progressOf(webhooks)).toMatchObject(done));
});

test('after its last try a receipt is a dead letter, until the operator has it tried again', async () => {
  const webhooks = await openWebhooks();
  const callId = await chargeOne(ledger);
  receiver.answer = (response) => response.writeHead(500).end();
  webhooks.start();
  for (const pauseMs of retryPausesMs) {
    const tries = receiver.received.length + 1;
    await receiver.sawAtLeast(tries);
    await eventually(async () => {
      expect((await ledger.listFailedDeliveries({ limit: 1 }))[0]?.attempts).toBe(tries);
    });
    nowMs += pauseMs;
  }
  await eventually(async () => expect(await progressOf(webhooks)).toMatchObject({ behind: 0, waiting: 0, dead: 1 }));
  expect(receiver.received).toHaveLength(10);
  expect(await ledger.listFailedDeliveries({ limit: 1 })).toMatchObject([{ callId, attempts: 10, nextAtMs: null }]);
  receiver.answer = (response) => response.writeHead(204).end();
  expect(await webhooks.retry()).toBe(1);
  await eventually(async () => expect(await progressOf(webhooks)).toMatchObject(done));
  expect(receiver.received).toHaveLength(11);
});

test.each([
  ['hangs', () => undefined, 'gave no answer within 50 ms'],
  ['redirects', (response) => response.writeHead(307, { location: receiver.url }).end(), 'answered with status 307'],
  ['breaks off', (response) => response.destroy(), 'could not be reached (UND_ERR_SOCKET)'],
] satisfies [string, TestReceiver['answer'], string][])(
  'a receiver that %s is tried again later, and holds up no call',
  async (_, answer, reason) => {
    receiver.answer = answer;
    const webhooks = await openWebhooks({ timeoutMs: 50 });
    await chargeOne(ledger);
    webhooks.start();
    await receiver.sawAtLeast(1);
    await chargeOne(ledger);
    await eventually(async () => expect(await progressOf(webhooks)).toMatchObject({ behind: 0, waiting: 2 }));
    expect(new Set((await ledger.listFailedDeliveries({ limit: 2 })).map((failed) => failed.reason))).toEqual(
      new Set([reason]),
    );
    expect(receiver.received).toHaveLength(2);
  },
);

test('an answer without an end is cut, and counts by its status', async () => {
  receiver.answer = (response) => {
    response.writeHead(200);
    const pour = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on('drain', pour);
    pour();
  };
  const webhooks = await openWebhooks();
  await chargeOne(ledger);
  webhooks.start();
  await eventually(async () => expect(await progressOf(webhooks)).toMatchObject(done));
});

test('410 says that nothing is wanted: the receiver is told nothing until the operator says so', async () => {
  receiver.answer = (response) => response.writeHead(410).end();
  const webhooks = await openWebhooks();
  const first = await chargeOne(ledger);
  webhooks.start();
  await eventually(async () => expect(await progressOf(webhooks)).toMatchObject({ waiting: 1, gone: true }));
  const second = await chargeOne(ledger);
  // The log is its queue; no row is written for what it is not told.
  expect(await progressOf(webhooks)).toMatchObject({ behind: 1, waiting: 1, dead: 0 });
  receiver.answer = (response) => response.writeHead(204).end();
  expect(await webhooks.retry()).toBe(1);
  await eventually(async () => expect(await progressOf(webhooks)).toMatchObject(done));
  expect(idsOf()).toEqual([first, first, second].map((callId) => `receipt_${callId}`));
});

test('a queue that is full is tried each minute, and goes on as soon as its receiver answers', async () => {
  const books = ledger;
  // As if three were as many as may wait, and each for an hour.
  const full: RelayLedger = {
    ...books,
    async listDueDeliveries(options) {
      const { deliveries } = await books.listDueDeliveries(options);
      const [progress] = await books.readWebhookProgress([options.url]);
      const isFull = (progress?.waiting ?? 0) >= 3;
      return { deliveries: isFull ? [] : deliveries, isFull };
    },
    recordDeliveries({ url, results }) {
      const nextAtMs = nowMs + 3_600_000;
      const later = results.map((one) => (one.failure ? { ...one, failure: { ...one.failure, nextAtMs } } : one));
      return books.recordDeliveries({ url, results: later });
    },
  };
  receiver.answer = (response) => response.writeHead(503).end();
  const webhooks = await openWebhooks({ ledger: full });
  for (let count = 0; count < 3; count += 1) await chargeOne(ledger);
  webhooks.start();
  await eventually(async () => expect(await progressOf(webhooks)).toMatchObject({ behind: 0, waiting: 3 }));
  const late = await chargeOne(ledger);
  // Tried once ahead of its time, in vain; that does not count as a try.
  await receiver.sawAtLeast(4);
  receiver.answer = (response) => response.writeHead(204).end();
  expect((await ledger.listFailedDeliveries({ limit: 9 })).map(({ attempts }) => attempts)).toEqual([1, 1, 1]);
  expect(await progressOf(webhooks)).toMatchObject({ behind: 1, waiting: 3 });
  nowMs += 60_000;
  await eventually(async () => expect(await progressOf(webhooks)).toMatchObject(done));
  expect(idsOf().at(-1)).toBe(`receipt_${late}`);
});

test('a secret that is missing is refused by the name of its variable', async () => {
  await expect(openWebhooks({ env: {} })).rejects.toMatchObject({
    code: 'invalid_configuration',
    message: 'HOOK has to hold the secret of a webhook: whsec_ and the base64 of 24 to 64 random bytes.',
  });
});
