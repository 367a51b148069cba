import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { completion, makeResponse, makeStream, streamEvents } from '../call/call-fixtures.ts';
import { maxKeptAnswerBytes } from '../call/keep-answer.ts';
import { TransportError } from '../call/transport.ts';
import { temporaryFolder } from '../ledger/ledger-fixtures.ts';
import { payByToy, ToyBank } from './toy-fixture.ts';
import { startToyRelay, ToyUpstream, type ToyRelay } from '../toy-relay-fixture.ts';

/*
 * The core of payments without a chain: what holds here holds for every direct payment.
 */

const folders: { remove: () => void }[] = [];
const relays: ToyRelay[] = [];
let bank: ToyBank;
let upstream: ToyUpstream;
let payer: Hex;
beforeEach(() => {
  bank = new ToyBank();
  payer = toHex(randomBytes(20));
  bank.balances.set(payer, 1_000n);
  upstream = new ToyUpstream(answerWhole);
});
afterEach(async () => {
  for (const relay of relays.splice(0)) await relay.kill();
  for (const folder of folders.splice(0)) folder.remove();
});

function answerWhole({ stream }: { stream: boolean }) {
  return stream ? makeStream(streamEvents) : makeResponse([JSON.stringify(completion)]);
}

type StartOptions = Partial<Parameters<typeof startToyRelay>[0]>;

async function start(options: StartOptions = {}): Promise<ToyRelay & { dataDir: string }> {
  let { dataDir } = options;
  if (dataDir === undefined) {
    const folder = temporaryFolder();
    folders.push(folder);
    dataDir = folder.dataDir;
  }
  const relay = await startToyRelay({ bank, upstream, ...options, dataDir });
  relays.push(relay);
  return { ...relay, dataDir };
}

async function kill(relay: ToyRelay): Promise<void> {
  relays.splice(0);
  await relay.kill();
}

const ask = { model: 'small', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 20 };
/** Above the quote of the request. */
const enough = 1_000n;
/** See the fixture's prices. */
const charge = 14n;

interface Answer {
  status: number;
  callId: string | null;
  receipt: string | null;
  replayed: string | null;
  text: string;
  headers: Headers;
}

interface PostOptions {
  body?: object;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

async function send(url: string, { body = ask, headers = payByToy(payer, 1, enough), signal }: PostOptions = {}) {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
}

async function post(url: string, options: PostOptions = {}): Promise<Answer> {
  const response = await send(url, options);
  const text = await response.text();
  const { headers, status } = response;
  return {
    status,
    callId: headers.get('x-autopay-call-id'),
    receipt: headers.get('x-autopay-receipt') ?? /^: autopay-receipt (.*)$/m.exec(text)?.[1] ?? null,
    replayed: headers.get('idempotent-replayed'),
    text,
    headers,
  };
}

function codeOf({ text }: Answer): string {
  return (JSON.parse(text) as { error: { code: string } }).error.code;
}

/** How many payments are unsettled. */
function paymentsOf({ ledger }: ToyRelay) {
  return ledger.countPayments();
}

describe('a payment', () => {
  it('is asked for: what it costs and how, and nothing is cached', async () => {
    const { url } = await start();
    const answer = await post(url, { headers: { authorization: 'Bearer placeholder' } });
    expect(answer.status).toBe(402);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('x-should-retry')).toBe('false');
    const body = JSON.parse(answer.text) as { error: { quote: string; code: string }; toyVersion: number };
    expect(body).toMatchObject({ toyVersion: 1, error: { code: 'payment_required' } });
    expect(answer.headers.get('toy-payment-required')).toBe(body.error.quote);
  });

  it.each([
    ['JSON', ask],
    ['a stream', { ...ask, stream: true }],
  ])('buys %s for what was metered, rounded up once', async (_, body) => {
    const relay = await start();
    const answer = await post(relay.url, { body });
    expect([answer.status, answer.replayed]).toEqual([200, null]);
    expect(answer.headers.get('cache-control')).toContain('no-store');
    expect(answer.receipt).not.toBeNull();
    await expect.poll(() => bank.taken.size).toBe(1);
    expect(bank.balances.get(payer)).toBe(enough - charge);
    await expect.poll(() => paymentsOf(relay)).toEqual({ due: 0, lost: 0 });
  });

  it('is finished before the headers of JSON, and after [DONE] of a stream, by event for those who asked', async () => {
    const { url } = await start();
    const json = await post(url);
    expect(json.headers.get('toy-receipt')).toBe(String(charge));
    const opened = Promise.withResolvers<void>();
    bank.opening = opened.promise;
    const streamed = { body: { ...ask, stream: true } };
    const plain = await post(url, { ...streamed, headers: payByToy(payer, 2, enough) });
    expect(plain.text).toMatch(/\n\n: autopay-receipt [^\n]*\n\ndata: \[DONE\]\n\n$/);
    const asked = await send(url, { ...streamed, headers: { ...payByToy(payer, 3, enough), 'toy-events': 'yes' } });
    const reader = asked.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('data: [DONE]\n\n')) text += (await reader?.read())?.value ?? '';
    expect(text).not.toContain('toy-receipt');
    opened.resolve();
    for (let step = await reader?.read(); step && !step.done; step = await reader?.read()) text += step.value;
    expect(text.split('data: [DONE]\n\n')[1]).toBe(`event: toy-receipt\ndata: ${charge}\n\n`);
  });

  it('is settled, and no loss, when the client closes after [DONE]', async () => {
    const relay = await start();
    const opened = Promise.withResolvers<void>();
    bank.opening = opened.promise;
    const leaving = new AbortController();
    const headers = { ...payByToy(payer, 1, enough), 'toy-events': 'yes' };
    const response = await send(relay.url, { body: { ...ask, stream: true }, headers, signal: leaving.signal });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('data: [DONE]\n\n')) text += (await reader?.read())?.value ?? '';
    leaving.abort();
    await sleep(50);
    opened.resolve();
    await expect.poll(() => bank.taken.size).toBe(1);
    await expect.poll(() => paymentsOf(relay)).toEqual({ due: 0, lost: 0 });
    expect(relay.unfinished).toEqual([]);
  });

  it('below the quote is refused, naming it, and stays good; above it is fine', async () => {
    const { url } = await start();
    const refused = await post(url, { headers: payByToy(payer, 1, 10n) });
    expect([refused.status, codeOf(refused)]).toEqual([402, 'insufficient_headroom']);
    const { error } = JSON.parse(refused.text) as { error: { quote: string; maximum: string } };
    expect(error.maximum).toBe('10');
    expect(upstream.calls).toBe(0);
    expect((await post(url, { headers: payByToy(payer, 1, BigInt(error.quote)) })).status).toBe(200);
  });

  it('below the quote is not met by a shorter answer, though the client set no limit', async () => {
    const { url } = await start();
    const { max_tokens: _, ...unlimited } = ask;
    const refused = await post(url, { body: unlimited, headers: payByToy(payer, 1, 2_000n) });
    expect([refused.status, codeOf(refused)]).toEqual([402, 'insufficient_headroom']);
  });
});

describe('a repeated request', () => {
  it.each([
    ['JSON', ask],
    ['a stream', { ...ask, stream: true }],
  ])('by its payment alone gets the same again, and nothing is charged: %s', async (_, body) => {
    const { url } = await start();
    const first = await post(url, { body });
    const again = await post(url, { body });
    expect(again).toMatchObject({ status: 200, replayed: 'true', callId: first.callId, receipt: first.receipt });
    expect(again.text).toBe(first.text);
    expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'));
    expect([upstream.calls, bank.taken.size]).toEqual([1, 1]);
  });

  it('by its Idempotency-Key gets the same answer, whatever payment comes with it', async () => {
    const { url } = await start();
    const key = { 'idempotency-key': 'the key' };
    const first = await post(url, { headers: { ...payByToy(payer, 1, enough), ...key } });
    const again = await post(url, { headers: { ...payByToy(payer, 2, enough), ...key } });
    expect(again).toMatchObject({ status: 200, replayed: 'true', callId: first.callId, receipt: first.receipt });
    expect([upstream.calls, bank.taken.size]).toEqual([1, 1]);
    // The second payment was not used up.
    expect(await post(url, { headers: payByToy(payer, 2, enough) })).toMatchObject({ status: 200, replayed: null });
  });

  it('is another one if its body differs', async () => {
    const { url } = await start();
    const other = { ...ask, max_tokens: 21 };
    await post(url);
    const sameMoney = await post(url, { body: other });
    expect([sameMoney.status, codeOf(sameMoney)]).toEqual([409, 'payment_already_used']);
    const key = { 'idempotency-key': 'k' };
    await post(url, { headers: { ...payByToy(payer, 2, enough), ...key } });
    const sameKey = await post(url, { body: other, headers: { ...payByToy(payer, 3, enough), ...key } });
    expect([sameKey.status, codeOf(sameKey)]).toEqual([422, 'idempotency_mismatch']);
    expect(sameKey.headers.get('x-should-retry')).toBe('false');
    expect([upstream.calls, bank.taken.size]).toEqual([2, 2]);
  });

  it('of another payer is its own, even with the same key', async () => {
    const { url } = await start();
    const stranger = toHex(randomBytes(20));
    bank.balances.set(stranger, 1_000n);
    const key = { 'idempotency-key': 'k' };
    const first = await post(url, { headers: { ...payByToy(payer, 1, enough), ...key } });
    const other = await post(url, { headers: { ...payByToy(stranger, 1, enough), ...key } });
    expect(other.replayed).toBeNull();
    expect(other.callId).not.toBe(first.callId);
  });

  it('has a key of 1 to 255 printable characters; a free route ignores it', async () => {
    const { url } = await start();
    for (const key of ['k'.repeat(256), 'schl\u00fcssel']) {
      const refused = await post(url, { headers: { ...payByToy(payer, 1, enough), 'idempotency-key': key } });
      expect([refused.status, codeOf(refused)]).toEqual([400, 'invalid_request']);
    }
    const longest = { 'idempotency-key': 'k'.repeat(255) };
    expect((await post(url, { headers: { ...payByToy(payer, 1, enough), ...longest } })).status).toBe(200);
    const free = { body: { ...ask, model: 'free' }, headers: { 'idempotency-key': 'k'.repeat(256) } };
    const answers = [await post(url, free), await post(url, free)];
    expect(answers.map(({ status, replayed }) => [status, replayed])).toEqual([
      [200, null],
      [200, null],
    ]);
    expect(upstream.calls).toBe(3);
  });

  it.each([
    ['JSON', ask],
    ['a stream', { ...ask, stream: true }],
  ])('sent 50 times at once is served once: %s', async (_, body) => {
    const { url } = await start();
    upstream.answer = async (request) => {
      await sleep(50);
      return answerWhole(request);
    };
    const answers = await Promise.all(Array.from({ length: 50 }, () => post(url, { body })));
    expect(
      new Set(answers.map(({ status, callId, receipt, text }) => [status, callId, receipt, text].join())).size,
    ).toBe(1);
    expect(answers.filter(({ replayed }) => replayed === null)).toHaveLength(1);
    expect([answers[0]?.status, upstream.calls, bank.taken.size]).toEqual([200, 1, 1]);
    expect(bank.balances.get(payer)).toBe(enough - charge);
  });

  it('waits for a call of another process by the books', async () => {
    const relay = await start();
    const elsewhere = await relay.addProcess();
    const answered = Promise.withResolvers<void>();
    upstream.answer = async (request) => {
      await answered.promise;
      return answerWhole(request);
    };
    const first = post(relay.url);
    await expect.poll(() => upstream.calls).toBe(1);
    const again = post(elsewhere);
    await sleep(100);
    answered.resolve();
    expect(await again).toMatchObject({ status: 200, replayed: 'true', callId: (await first).callId });
    expect([upstream.calls, bank.taken.size]).toEqual([1, 1]);
  });

  it('is told to come back if the first takes too long', async () => {
    const relay = await start({ limits: { callTimeoutMs: 200, drainTimeoutMs: 100 } });
    const elsewhere = await relay.addProcess();
    const answered = Promise.withResolvers<void>();
    // A process that hangs, as a crashed one would seem to.
    upstream.answer = async (request) => {
      await answered.promise;
      return answerWhole(request);
    };
    const first = post(relay.url).catch(() => undefined);
    await expect.poll(() => upstream.calls).toBe(1);
    const refused = await post(elsewhere);
    expect([refused.status, codeOf(refused)]).toEqual([409, 'idempotent_repeat']);
    expect([refused.headers.get('x-should-retry'), refused.headers.get('retry-after')]).toEqual(['false', '5']);
    answered.resolve();
    await first;
  });

  it('of a call that failed is a new one; the payment is good for it, and nothing was taken before', async () => {
    const relay = await start();
    const failing = Promise.withResolvers<void>();
    upstream.answer = async (request) => {
      if (upstream.calls > 1) return answerWhole(request);
      await failing.promise;
      throw new TransportError('unreachable', 'not there');
    };
    const first = post(relay.url);
    await expect.poll(() => upstream.calls).toBe(1);
    const waiting = Array.from({ length: 5 }, () => post(relay.url));
    // Long enough for them to arrive.
    await sleep(300);
    failing.resolve();
    expect((await first).status).toBe(502);
    const answers = await Promise.all(waiting);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(new Set(answers.map(({ callId }) => callId)).size).toBe(1);
    expect([upstream.calls, bank.taken.size]).toEqual([2, 1]);
  });

  it('of a client that went gets the whole stream, which was read to its end', async () => {
    const { url } = await start();
    const goOn = Promise.withResolvers<void>();
    upstream.answer = () => {
      const whole = makeStream(streamEvents);
      async function* slowly() {
        let at = 0;
        for await (const piece of whole.body) {
          if (at === 1) await goOn.promise;
          at += 1;
          yield piece;
        }
      }
      return { ...whole, body: slowly() };
    };
    const body = { ...ask, stream: true };
    const leaving = new AbortController();
    const response = await send(url, { body, signal: leaving.signal });
    await response.body?.getReader().read();
    leaving.abort();
    const again = post(url, { body });
    goOn.resolve();
    expect(await again).toMatchObject({
      status: 200,
      replayed: 'true',
      callId: response.headers.get('x-autopay-call-id'),
    });
    expect((await again).text).toContain('data: [DONE]');
    expect([upstream.calls, bank.taken.size]).toEqual([1, 1]);
  });

  it('is told that an answer was charged but is not kept, with its receipt', async () => {
    const { url } = await start({ limits: { maxResponseBytes: 2 ** 25 } });
    const long = { ...completion, padding: 'x'.repeat(maxKeptAnswerBytes) };
    upstream.answer = () => makeResponse([JSON.stringify(long)]);
    const first = await post(url);
    expect([first.status, first.text.length > maxKeptAnswerBytes]).toEqual([200, true]);
    const again = await post(url);
    expect([again.status, codeOf(again)]).toEqual([409, 'answer_not_kept']);
    expect(again).toMatchObject({ receipt: first.receipt, callId: first.callId });
    expect([upstream.calls, bank.taken.size]).toEqual([1, 1]);
  });
});

describe('a settlement', () => {
  it('that takes too long leaves the payment pending: the same again gets the answer, and nobody pays twice', async () => {
    const relay = await start();
    bank.isSlow = true;
    const pending = await post(relay.url);
    expect([pending.status, codeOf(pending)]).toEqual([503, 'settlement_pending']);
    expect([pending.headers.get('x-should-retry'), pending.headers.get('retry-after')]).toEqual(['false', '5']);
    expect(pending.headers.has('toy-payment-required')).toBe(false);
    expect(pending.receipt).not.toBeNull();
    expect(await paymentsOf(relay)).toEqual({ due: 1, lost: 0 });
    expect((await post(relay.url)).status).toBe(503);
    bank.isSlow = false;
    const paid = await post(relay.url);
    expect(paid).toMatchObject({ status: 200, replayed: 'true', callId: pending.callId, receipt: pending.receipt });
    expect(paid.headers.get('toy-receipt')).toBe(String(charge));
    expect([upstream.calls, bank.taken.size]).toEqual([1, 1]);
  });

  it('that fails before JSON is delivered keeps the answer back, and the payer out until it is made good', async () => {
    const relay = await start();
    bank.balances.set(payer, 0n);
    const failed = await post(relay.url);
    expect([failed.status, codeOf(failed)]).toEqual([402, 'settlement_failed']);
    expect(failed.text).not.toContain('Hello');
    const refused = await post(relay.url, { headers: payByToy(payer, 2, enough) });
    expect([refused.status, codeOf(refused)]).toEqual([403, 'payer_owes']);
    expect(JSON.parse(refused.text)).toMatchObject({ error: { amount: String(charge) } });
    bank.balances.set(payer, 100n);
    expect((await post(relay.url)).text).toContain('Hello');
    expect(await post(relay.url, { headers: payByToy(payer, 2, enough) })).toMatchObject({
      status: 200,
      replayed: null,
    });
    expect(bank.balances.get(payer)).toBe(100n - 2n * charge);
  });

  it('that fails after a stream is a loss that is reported, and keeps the payer out', async () => {
    const relay = await start();
    bank.balances.set(payer, 0n);
    const streamed = await post(relay.url, { body: { ...ask, stream: true } });
    expect(streamed.status).toBe(200);
    expect(streamed.text).toMatch(/data: \[DONE\]\n\n$/);
    await expect.poll(() => relay.unfinished).toEqual([streamed.callId]);
    expect(await paymentsOf(relay)).toEqual({ due: 0, lost: 1 });
    expect(codeOf(await post(relay.url, { headers: payByToy(payer, 2, enough) }))).toBe('payer_owes');
  });
});

describe('a crash', () => {
  it('between charge and settlement loses neither: the same request gets the answer, and the money moves once', async () => {
    const relay = await start();
    bank.opening = new Promise(() => undefined);
    const lost = post(relay.url).catch(() => undefined);
    await expect.poll(() => bank.tries).toBe(1);
    await kill(relay);
    await lost;
    expect(bank.taken.size).toBe(0);
    bank.opening = Promise.resolve();
    const restarted = await start({ dataDir: relay.dataDir });
    expect(await paymentsOf(restarted)).toEqual({ due: 1, lost: 0 });
    const answers = await Promise.all(Array.from({ length: 5 }, () => post(restarted.url)));
    expect(answers.map(({ status, replayed }) => [status, replayed])).toEqual(Array(5).fill([200, 'true']));
    expect(upstream.calls).toBe(1);
    expect(bank.balances.get(payer)).toBe(enough - charge);
    expect(await paymentsOf(restarted)).toEqual({ due: 0, lost: 0 });
  });

  it('before the charge costs nothing: the same request is a new call', async () => {
    const relay = await start();
    upstream.answer = () => new Promise(() => undefined);
    const lost = post(relay.url).catch(() => undefined);
    await expect.poll(() => upstream.calls).toBe(1);
    await kill(relay);
    await lost;
    upstream.answer = answerWhole;
    const restarted = await start({ dataDir: relay.dataDir });
    expect(await post(restarted.url)).toMatchObject({ status: 200, replayed: null });
    expect([upstream.calls, bank.taken.size]).toEqual([2, 1]);
  });
});
