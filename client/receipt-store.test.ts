import { appendFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { openReceiptStore, type StoredReceipt } from './receipt-store.ts';

let stateDir: string;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'autopay-receipts-'));
  return () => rm(stateDir, { recursive: true, force: true });
});

const receiptOf = (callId: string, model: string): StoredReceipt => ({
  callId,
  receivedAtMs: 1,
  relayUrl: 'http://127.0.0.1:4000',
  chainId: 31_337,
  payee: `0x${'a1'.repeat(20)}`,
  model,
  channelId: `0x${'c4'.repeat(32)}`,
  sequence: 1,
  amount: '1',
  promptTokens: 1,
  completionTokens: 1,
  problems: [],
  receipt: '',
});

it('lists each call once, with the receipt that came last, and passes over a line that a crash cut short', async () => {
  const store = openReceiptStore(stateDir);
  expect(await store.list()).toEqual([]);
  await store.append(receiptOf('one', 'old'));
  await appendFile(join(stateDir, 'receipts.jsonl'), '{"callId":"cut\n');
  await store.append(receiptOf('two', 'other'));
  await store.append(receiptOf('one', 'new'));
  expect((await store.list()).map(({ callId, model }) => [callId, model])).toEqual([
    ['one', 'new'],
    ['two', 'other'],
  ]);
  expect((await stat(join(stateDir, 'receipts.jsonl'))).mode & 0o777).toBe(0o600);
});

it('reads on from where it stopped, each line once, and leaves what is being written for the next time', async () => {
  const store = openReceiptStore(stateDir);
  expect(await store.readFrom(-100)).toEqual({ receipts: [], end: 0 });
  const callsFrom = async (from: number) => {
    const { receipts, end } = await store.readFrom(from);
    return { calls: receipts.map(({ callId }) => callId), end };
  };
  await store.append(receiptOf('one', 'first'));
  await store.append(receiptOf('one', 'second'));
  const first = await callsFrom(0);
  expect(first.calls).toEqual(['one', 'one']);
  expect(await callsFrom(first.end)).toEqual({ calls: [], end: first.end });
  const line = `${JSON.stringify(receiptOf('two', 'm'))}\n`;
  await appendFile(join(stateDir, 'receipts.jsonl'), line.slice(0, 40));
  expect(await callsFrom(first.end)).toEqual({ calls: [], end: first.end });
  await appendFile(join(stateDir, 'receipts.jsonl'), line.slice(40));
  expect((await callsFrom(first.end)).calls).toEqual(['two']);
  // From the end: whole lines only.
  expect((await callsFrom(-line.length - 10)).calls).toEqual(['two']);
  expect((await callsFrom(-1_000_000)).calls).toEqual(['one', 'one', 'two']);
});
