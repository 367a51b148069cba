import { appendFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openPaymentStore, type StoredPayment } from './payment-store.ts';

let stateDir: string;
beforeEach(async () => {
  stateDir = join(await mkdtemp(join(tmpdir(), 'autopay-payments-')), 'wallet');
});
afterEach(() => rm(join(stateDir, '..'), { recursive: true, force: true }));

const payment = (paymentId: string, change: Partial<StoredPayment> = {}): StoredPayment => ({
  ...{ paymentId, atMs: 1, state: 'signed', url: 'https://seller.example/v1', method: 'x402/exact', chainId: 8_453 },
  ...{ token: '0xdc', payTo: '0x5e', amount: '5000', taken: null, transaction: null, validBefore: 2 },
  ...{ evidence: 'none', callId: null, reason: '', ...change },
});

it('keeps the newest line of each payment, in a file of the owner’s alone', async () => {
  const store = openPaymentStore(stateDir);
  expect(await store.list()).toEqual([]);
  const settled = payment('0x01', { state: 'settled', taken: '5000' });
  for (const line of [payment('0x01'), payment('0x02'), settled]) await store.append(line);
  expect(await store.list()).toEqual([settled, payment('0x02')]);
  expect((await stat(join(stateDir, 'payments.jsonl'))).mode & 0o777).toBe(0o600);
});

it('is not stopped by a line that a crash cut short', async () => {
  const store = openPaymentStore(stateDir);
  await store.append(payment('0x01'));
  await appendFile(join(stateDir, 'payments.jsonl'), '{"paymentId":"0x0');
  expect(await store.list()).toEqual([payment('0x01')]);
  await store.append(payment('0x02'));
  expect((await store.list()).map(({ paymentId }) => paymentId)).toEqual(['0x01', '0x02']);
});
