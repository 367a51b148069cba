import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { plainPrices } from '../protocol/pricing/plain-prices-fixture.ts';
import { costOfUsage } from '../protocol/pricing/token-prices.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import {
  completion,
  makeResponse,
  makeRoute,
  makeStream,
  streamEvents,
  token,
  wideBudgets,
} from './call/call-fixtures.ts';
import { maxCachedBytes } from './call/cache/answer-cache.ts';
import type { CacheTerms } from './call/cache/cache-terms.ts';
import type { CallDeps } from './call/types.ts';
import { temporaryFolder } from './ledger/ledger-fixtures.ts';
import { payByToy, ToyBank } from './payments/toy-fixture.ts';
import { startToyRelay, ToyUpstream, type ToyRelay } from './toy-relay-fixture.ts';

/*
 * Answers that are sold again, on real books and over HTTP: what they cost, who gets them, and what becomes of the money.
 */

const funds = 10n ** 9n;
const maximum = 1_000_000n;
/** 10 prompt and 5 completion tokens. */
const fullPrice = 20n;
const cachePrice = 3n;

const prices = (makeRoute().prices ?? []).filter((row) => row.token === token);
const cachedRows = prices.map((row) => ({ ...row, ...plainPrices(0n), model: 'small@cache', request: cachePrice }));

const ask = { model: 'small', messages: [{ role: 'user', content: 'Hi' }], max_completion_tokens: 100 };

let relay: ToyRelay | undefined;
let removeFolder: () => void;
let dataDir: string;
let bank: ToyBank;
let upstream: ToyUpstream;
let nonce = 0;
beforeEach(() => {
  ({ dataDir, remove: removeFolder } = temporaryFolder());
  bank = new ToyBank();
  upstream = new ToyUpstream(({ stream }) =>
    stream ? makeStream(streamEvents) : makeResponse([JSON.stringify(completion)]),
  );
});
afterEach(async () => {
  await relay?.kill();
  relay = undefined;
  removeFolder();
});

async function start(terms: Partial<CacheTerms> = {}, budgets?: CallDeps['budgets']): Promise<ToyRelay> {
  const cache: CacheTerms = { ttlMs: 60_000, scope: 'payer', model: 'small@cache', prices: cachedRows, ...terms };
  const started = await startToyRelay({
    ...{ dataDir, bank, upstream, routes: [makeRoute({ prices, cache })] },
    // Longer answers than are stored are sold.
    limits: { maxResponseBytes: 4 * maxCachedBytes },
    ...(budgets && { budgets }),
  });
  relay = started;
  return started;
}

function somePayer(): Hex {
  const payer = toHex(randomBytes(20));
  bank.balances.set(payer, funds);
  return payer;
}

interface Call {
  payer: Hex;
  body?: object;
  headers?: Record<string, string>;
  nonce?: number;
}

async function call(options: Call) {
  const { payer, body = ask, headers = {} } = options;
  nonce += 1;
  const response = await fetch(`${relay?.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...payByToy(payer, options.nonce ?? nonce, maximum),
      ...headers,
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  const callId = response.headers.get('x-autopay-call-id') ?? '';
  const signed = await relay?.ledger.getSignedReceipt(callId);
  return {
    ...{ status: response.status, text, callId, cache: response.headers.get('x-autopay-cache') },
    ...{ age: response.headers.get('age'), headers: response.headers },
    receipt: signed && decodeReceipt(signed.entry),
  };
}

const spentBy = (payer: Hex) => funds - (bank.balances.get(payer) ?? 0n);

describe('a request that was answered before', () => {
  test('is answered from the cache, at the price of its own row, and its receipt says so', async () => {
    await start();
    const payer = somePayer();
    const first = await call({ payer });
    const again = await call({ payer });
    expect(upstream.calls).toBe(1);
    expect([first.cache, again.cache, first.age, again.age]).toEqual(['miss', 'hit', null, '0']);
    expect(again.text).toBe(first.text);
    expect(first.receipt).toMatchObject({ modelAsked: 'small', provider: 'simulated', amount: fullPrice });
    expect(again.receipt).toMatchObject({
      ...{ modelAsked: 'small@cache', modelServed: 'sim-small', provider: 'cache', deployment: 'cache@relay' },
      ...{ amount: cachePrice, usageKind: 'exact', usage: { prompt: 10, completion: 5 } },
    });
    // As a dispute would judge it.
    const [row] = cachedRows;
    if (!row || !again.receipt) throw new Error('no row, or no receipt');
    expect(costOfUsage(again.receipt.usage, { prices: row, conversion: null })).toBe(cachePrice);
    expect(again.callId).not.toBe(first.callId);
    expect(spentBy(payer)).toBe(fullPrice + cachePrice);
  });

  test('is answered with a stream where it was a stream, receipt and [DONE] included', async () => {
    await start();
    const payer = somePayer();
    const body = { ...ask, stream: true };
    const first = await call({ payer, body });
    const again = await call({ payer, body });
    const withoutReceipt = (text: string) => text.replace(/: autopay-receipt .*\n\n/, '');
    expect(upstream.calls).toBe(1);
    expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'));
    expect(withoutReceipt(again.text)).toBe(withoutReceipt(first.text));
    expect(again.text.endsWith('data: [DONE]\n\n')).toBe(true);
    const [, encoded = ''] = /autopay-receipt (\S+)/.exec(again.text) ?? [];
    expect(decodeReceipt(decodeSignedReceipt(encoded).entry)).toMatchObject({
      ...{ callId: again.callId, modelAsked: 'small@cache', amount: cachePrice },
    });
    expect(again.cache).toBe('hit');
    expect((await call({ payer })).cache).toBe('miss');
  });

  test('by another payer is not answered from the cache, unless it is shared', async () => {
    await start();
    await call({ payer: somePayer() });
    expect((await call({ payer: somePayer() })).cache).toBe('miss');
    expect(upstream.calls).toBe(2);
    await relay?.kill();
    await start({ scope: 'shared' });
    await call({ payer: somePayer() });
    const other = await call({ payer: somePayer() });
    expect([other.cache, other.receipt?.amount]).toEqual(['hit', cachePrice]);
    expect(upstream.calls).toBe(3);
  });

  test('that says no-cache is answered anew, and no-store leaves nothing behind', async () => {
    await start();
    const payer = somePayer();
    expect((await call({ payer, headers: { 'cache-control': 'no-store' } })).cache).toBe('miss');
    expect((await call({ payer })).cache).toBe('miss');
    expect((await call({ payer, headers: { 'cache-control': 'no-cache' } })).cache).toBe('miss');
    expect((await call({ payer, headers: { 'cache-control': 'no-store' } })).cache).toBe('miss');
    expect((await call({ payer, headers: { 'cache-control': 'max-age=0' } })).cache).toBe('miss');
    expect((await call({ payer })).cache).toBe('hit');
    expect(upstream.calls).toBe(5);
  });

  test('after the time that answers are sold again is answered anew', async () => {
    await start({ ttlMs: 0 });
    const payer = somePayer();
    await call({ payer });
    expect((await call({ payer })).cache).toBe('miss');
  });
});

describe('nothing is sold again', () => {
  test.each<[string, () => ReturnType<typeof makeResponse>, object]>([
    ['an error', () => makeResponse(['{"error":{"message":"no"}}'], { status: 400 }), ask],
    ['an error with status 200', () => makeResponse(['{"error":{"message":"no"}}']), ask],
    ['a stream that breaks off', () => makeStream(streamEvents.slice(0, 2)), { ...ask, stream: true }],
    [
      'impossible usage',
      () => makeResponse([JSON.stringify({ ...completion, usage: { prompt_tokens: 10 ** 9, completion_tokens: 5 } })]),
      ask,
    ],
    ['what the provider is to keep', () => makeResponse([JSON.stringify(completion)]), { ...ask, store: true }],
    [
      'an answer that is too long',
      () => {
        const [choice] = completion.choices;
        const message = { role: 'assistant', content: 'Hello', padding: 'x'.repeat(maxCachedBytes) };
        return makeResponse([JSON.stringify({ ...completion, choices: [{ ...choice, message }] })]);
      },
      ask,
    ],
  ])('of %s', async (what, answer, body) => {
    await start();
    const payer = somePayer();
    upstream.answer = answer;
    if (what.includes('breaks off')) await call({ payer, body }).catch(() => undefined);
    else await call({ payer, body });
    // Whatever the deployment did: a relay that asks again gets a whole answer, or none, but never that one.
    const calls = upstream.calls;
    upstream.answer = ({ stream }) => (stream ? makeStream(streamEvents) : makeResponse([JSON.stringify(completion)]));
    const again = await call({ payer, body });
    expect(again.cache).not.toBe('hit');
    if (again.status === 200) expect(upstream.calls).toBe(calls + 1);
  });
});

describe('the money of an answer from the cache', () => {
  test('the same payment again gets the same answer, and pays once', async () => {
    await start();
    const payer = somePayer();
    await call({ payer });
    const hit = await call({ payer, nonce: 9_000 });
    const replayed = await call({ payer, nonce: 9_000 });
    expect(replayed.headers.get('idempotent-replayed')).toBe('true');
    expect([replayed.callId, replayed.text]).toEqual([hit.callId, hit.text]);
    expect(spentBy(payer)).toBe(fullPrice + cachePrice);
  });

  test('the same Idempotency-Key gets the first answer, which was no hit, and pays nothing', async () => {
    await start();
    const payer = somePayer();
    const headers = { 'idempotency-key': 'one' };
    const first = await call({ payer, headers });
    const again = await call({ payer, headers });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.callId).toBe(first.callId);
    expect(spentBy(payer)).toBe(fullPrice);
  });

  /** Budgets of the day, AGPT wei, by model; as good as none for others. */
  const limitedTo = (limits: Record<string, bigint>): CallDeps['budgets'] => ({
    terms(about) {
      const limitAgpt = limits[about.model];
      return { ...wideBudgets.terms(about), ...(limitAgpt !== undefined && { limitAgpt }) };
    },
  });

  test('of 60 calls at once exactly as many are hits as its own budget covers; the others are new calls', async () => {
    const covered = 10n;
    const calls = 60;
    await start({}, limitedTo({ 'small@cache': covered * cachePrice + cachePrice - 1n }));
    const payer = somePayer();
    await call({ payer });
    const ended = await Promise.all(Array.from({ length: calls }, () => call({ payer })));
    const [hits, misses] = ['hit', 'miss'].map((kind) => ended.filter(({ cache }) => cache === kind));
    expect(hits?.map(({ receipt }) => receipt?.amount)).toEqual(
      Array.from({ length: Number(covered) }, () => cachePrice),
    );
    expect(misses).toHaveLength(calls - Number(covered));
    for (const { status, receipt } of misses ?? []) {
      expect([status, receipt?.modelAsked, receipt?.amount]).toEqual([200, 'small', fullPrice]);
    }
    expect(upstream.calls).toBe(1 + calls - Number(covered));
    expect(spentBy(payer)).toBe(covered * cachePrice + BigInt(upstream.calls) * fullPrice);
  });

  test('where neither the budget of hits nor that of new calls covers it, nothing is sold or asked for', async () => {
    await start({}, limitedTo({ small: 353n, 'small@cache': 0n }));
    const payer = somePayer();
    // All of the budget is its quote; what it has spent is missing for another.
    expect((await call({ payer })).status).toBe(200);
    const refused = await call({ payer });
    expect([refused.status, JSON.parse(refused.text)]).toMatchObject([
      429,
      { error: { code: 'model_budget_exceeded' } },
    ]);
    expect(refused.text).toContain('"model":"small"');
    expect(refused.receipt).toBeUndefined();
    expect([upstream.calls, spentBy(payer)]).toEqual([1, fullPrice]);
  });

  test('a crash after the charge: the same payment gets its answer from the books, though the cache is gone', async () => {
    await start();
    const payer = somePayer();
    const first = await call({ payer });
    bank.isSlow = true;
    const pending = await call({ payer, nonce: 9_001 });
    expect(pending.status).not.toBe(200);
    expect(pending.receipt).toMatchObject({ modelAsked: 'small@cache', amount: cachePrice });
    await relay?.kill();
    bank.isSlow = false;
    await start();
    const again = await call({ payer, nonce: 9_001 });
    expect([again.status, again.callId, again.text]).toEqual([200, pending.callId, first.text]);
    expect(spentBy(payer)).toBe(fullPrice + cachePrice);
    expect((await call({ payer })).cache).toBe('miss');
  });
});
