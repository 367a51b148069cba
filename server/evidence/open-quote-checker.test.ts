import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeAll, afterAll, expect, test } from 'vitest';
import { readRecordedQuote } from '../../test/support/read-recorded-quote.ts';
import type { QuoteAsk } from './check-quote.ts';
import { maxQuotes, openQuoteChecker, type QuoteChecker } from './open-quote-checker.ts';

/** A thread that does as the first byte of the quote says. */
const script = `
import { parentPort } from 'node:worker_threads';
parentPort.on('message', ({ id, ask }) => {
  const what = ask.quote[0];
  if (what === 0) process.exit(7);
  if (what === 1) for (;;);
  if (what === 2) throw new Error('a flaw');
  if (what === 3) for (const all = []; ; ) all.push(new Array(100_000).fill(id));
  if (what === 4) return;
  const quote = { kind: 'tdx', tcbStatus: 'UpToDate', advisoryIds: [], measurements: {}, reportData: ask.quote };
  parentPort.postMessage({ id, ok: true, value: { collateral: ask.collateral, quote } });
});`;
const [exits, hangs, throws, fillsMemory, isSilent, answers] = [0, 1, 2, 3, 4, 5];

let folder: string;
let misbehaving: URL;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-quotes-'));
  const file = join(folder, 'thread.mjs');
  await writeFile(file, script);
  misbehaving = pathToFileURL(file);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const checkers: QuoteChecker[] = [];
afterEach(async () => {
  for (const checker of checkers.splice(0)) await checker.close();
});

function open(options: Parameters<typeof openQuoteChecker>[0]): QuoteChecker {
  const checker = openQuoteChecker(options);
  checkers.push(checker);
  return checker;
}

const { collateral, goodAtMs, quote } = readRecordedQuote('tdx');
const recorded: QuoteAsk = { quote, collateral, verifiedAtMs: goodAtMs, timeoutMs: 5_000 };
const asking = (what: number | undefined, timeoutMs = 30_000): QuoteAsk => ({
  ...recorded,
  ...{ quote: Uint8Array.of(what ?? 0), timeoutMs },
});

test('the thread says what checking it here says', async () => {
  const checker = open({});
  const found = await checker.check(recorded);
  expect(found.collateral).toEqual(collateral);
  expect(found.quote).toMatchObject({ kind: 'tdx', tcbStatus: 'UpToDate', advisoryIds: [] });
  // As those read it who compare it with keys and nonces.
  expect(found.quote.reportData.toString('hex')).toMatch(/^9a9d48e7f6799642/);
  const late = checker.check({ ...recorded, verifiedAtMs: Date.UTC(2025, 6, 20) });
  await expect(late).rejects.toMatchObject({
    code: 'verification_failed',
    message: expect.stringContaining('a revocation list is out of date'),
  });
});

test.each([
  ['exits', exits],
  ['throws', throws],
  ['takes more memory than it may', fillsMemory],
])('a thread that %s fails what it was at; the next quote begins another', async (_, what) => {
  const checker = open({ script: misbehaving });
  const all = [checker.check(asking(isSilent)), checker.check(asking(what))];
  for (const one of all) {
    await expect(one).rejects.toMatchObject({ code: 'internal_error', message: 'The quote could not be checked.' });
  }
  expect((await checker.check(asking(answers))).quote.reportData).toEqual(Buffer.of(5));
});

test('a thread that hangs is ended once its time is over', async () => {
  const checker = open({ script: misbehaving, patienceMs: 300 });
  await expect(checker.check(asking(hangs, 0))).rejects.toMatchObject({
    code: 'internal_error',
    cause: { message: 'a quote took longer than 300 ms' },
  });
  expect((await checker.check(asking(answers))).quote.reportData).toEqual(Buffer.of(5));
});

test('as many are under way as may be; more are refused, and closing fails those that are', async () => {
  const checker = open({ script: misbehaving });
  const all = Array.from({ length: maxQuotes }, () => checker.check(asking(isSilent)));
  const failed = Promise.allSettled(all);
  await expect(checker.check(asking(answers))).rejects.toMatchObject({ code: 'overloaded' });
  await checker.close();
  expect((await failed).map(({ status }) => status)).toEqual(Array<string>(maxQuotes).fill('rejected'));
  await expect(checker.check(asking(answers))).rejects.toMatchObject({ code: 'overloaded' });
});
