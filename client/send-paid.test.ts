import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WalletOptions } from './open-wallet.ts';
import { createPayFetch } from './pay-fetch.ts';
import type { StoredReceipt } from './receipt-store.ts';
import { doubleCharge, startRelayDouble, type RelayDouble } from './testing/relay-double.ts';
import { seededChannelId, seedWallet, walletKey } from './testing/seed-wallet.ts';
import { openWalletState } from './wallet-state.ts';

// The relay is a double that loses answers after it has charged for them.
let double: RelayDouble;
let seeded: Awaited<ReturnType<typeof seedWallet>>;
let warnings: string[];
let receipts: StoredReceipt[];
beforeEach(async () => {
  double = await startRelayDouble();
  seeded = await seedWallet(double);
  warnings = [];
  receipts = [];
});
afterEach(async () => {
  await double.close();
  await seeded.remove();
});

function payFetch(more: Partial<WalletOptions> = {}): typeof fetch {
  return createPayFetch({
    relayUrl: double.url,
    privateKey: walletKey,
    stateDir: seeded.stateDir,
    onWarning: (message) => warnings.push(message),
    onReceipt: (receipt) => receipts.push(receipt),
    ...more,
  });
}
const body = JSON.stringify({ model: 'paid', max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] });
const post = (pay: typeof fetch, headers: Record<string, string> = {}) =>
  pay(`${double.url}/v1/chat/completions`, { method: 'POST', headers, body });
const books = () => double.books.get(seededChannelId);
const paid = () => double.authorizations.filter((value) => value !== '');
const spentToday = async () => (await openWalletState(seeded.stateDir).read()).spending[0]?.amount;

describe('a lost answer', () => {
  it('is asked for again with the same key and the same voucher, and paid once', async () => {
    double.mischief.lostAnswers = 1;
    const response = await post(payFetch());
    expect([response.status, response.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
    expect(paid()).toHaveLength(2);
    expect(new Set(paid()).size).toBe(1);
    expect(double.keys[0]).toBe('');
    expect(new Set(double.keys.slice(1)).size).toBe(1);
    expect(double.keys[1]).toMatch(/^[0-9a-f-]{36}$/);
    expect(books()).toMatchObject({ charged: doubleCharge, sequence: 1 });
    expect([receipts.length, warnings]).toEqual([1, []]);
  });

  it('of each of many parallel calls is paid once', async () => {
    double.mischief.lostAnswers = 8;
    const pay = payFetch();
    const answers = await Promise.all(Array.from({ length: 12 }, () => post(pay)));
    expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
    expect(books()).toMatchObject({ charged: 12n * doubleCharge, reserved: 0n, sequence: 12 });
    expect(books()?.used.size).toBe(12);
    expect(warnings).toEqual([]);
  });

  it('is given up after some attempts, in a way that no client answers by paying again', async () => {
    const lossy: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (new Headers(init?.headers).has('authorization')) throw new TypeError('fetch failed');
      return response;
    };
    const client = new OpenAI({ fetch: payFetch({ fetch: lossy }), baseURL: `${double.url}/v1`, apiKey: 'unused' });
    const error = await client.chat.completions
      .create({ model: 'paid', messages: [{ role: 'user', content: 'hi' }] })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 502, code: 'upstream_unreachable' });
    expect(paid()).toHaveLength(5);
    expect(new Set(paid()).size).toBe(1);
    expect(books()?.charged).toBe(doubleCharge);
    // With the key that the error names, the answer can be had without another charge.
    const { idempotencyKey } = (error as { error: { idempotencyKey: string } }).error;
    expect(idempotencyKey).toBe(double.keys.at(-1));
    expect((await post(payFetch(), { 'idempotency-key': idempotencyKey })).status).toBe(200);
    expect(books()?.charged).toBe(doubleCharge);
  });

  it('is one that a gateway answered in the place of the relay, too', async () => {
    let gatewayAnswers = 2;
    const behindGateway: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!new Headers(init?.headers).has('authorization') || gatewayAnswers === 0) return response;
      gatewayAnswers -= 1;
      await response.arrayBuffer();
      return new Response('<html>Gateway Time-out</html>', { status: 504 });
    };
    expect((await post(payFetch({ fetch: behindGateway }))).headers.get('idempotent-replayed')).toBe('true');
    expect([paid().length, new Set(paid()).size, books()?.charged]).toEqual([3, 1, doubleCharge]);
  });

  it.each([
    ['a refusal comes', { code: 'overloaded' }, true],
    ['the settlement stays pending', { code: 'settlement_pending' }, false],
  ])('after which %s is no reason for a client to pay again, and stays counted', async (_, error, isLost) => {
    let sent = 0;
    const failing: typeof fetch = async (input, init) => {
      if (!new Headers(init?.headers).has('authorization')) return fetch(input, init);
      sent += 1;
      double.authorizations.push(new Headers(init?.headers).get('authorization') ?? '');
      if (isLost && sent === 1) throw new TypeError('fetch failed');
      return Response.json({ error: { message: 'no', ...error } }, { status: 503 });
    };
    const client = new OpenAI({ fetch: payFetch({ fetch: failing }), baseURL: `${double.url}/v1`, apiKey: 'unused' });
    const question = { model: 'paid', max_tokens: 50, messages: [{ role: 'user' as const, content: 'hi' }] };
    await expect(client.chat.completions.create(question)).rejects.toMatchObject({ status: 503, ...error });
    expect(new Set(paid()).size).toBe(1);
    expect(await spentToday()).toBeGreaterThan(0n);
  });

  it('gets no second voucher from a relay that forgot the key', async () => {
    Object.assign(double.mischief, { lostAnswers: 1, forgetKeys: true });
    const response = await post(payFetch());
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ error: { code: 'voucher_already_used' } });
    expect(new Set(paid()).size).toBe(1);
  });

  it('is not waited for by a caller that has gone', async () => {
    const controller = new AbortController();
    const gone: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!new Headers(init?.headers).has('authorization')) return response;
      setTimeout(() => controller.abort(), 20);
      throw new TypeError('fetch failed');
    };
    const pay = payFetch({ fetch: gone });
    const request = pay(`${double.url}/v1/chat/completions`, { method: 'POST', body, signal: controller.signal });
    await expect(request).rejects.toMatchObject({ name: 'AbortError' });
    expect(paid()).toHaveLength(1);
  });
});

describe('a client that does not wait for an answer, and repeats the call,', () => {
  /** The first paid answer comes only when nobody waits any more. */
  function tardy(): typeof fetch {
    let isFirst = true;
    return async (input, init) => {
      const answer = fetch(input, { ...init, signal: null });
      if (!isFirst || !new Headers(init?.headers).has('authorization')) return answer;
      isFirst = false;
      await answer;
      const signal = init?.signal ?? expect.fail('nobody can leave');
      // On a busy machine it has gone by now.
      if (!signal.aborted) await once(signal, 'abort');
      throw new DOMException('gone', 'AbortError');
    };
  }
  const clientOf = (pay: typeof fetch, timeout: number) =>
    new OpenAI({ fetch: pay, baseURL: `${double.url}/v1`, apiKey: 'unused', timeout });
  const question = { model: 'paid', max_tokens: 50, messages: [{ role: 'user' as const, content: 'hi' }] };

  it('gets the answer to the same call, which is charged once', async () => {
    const completion = await clientOf(payFetch({ fetch: tardy() }), 500).chat.completions.create(question);
    expect(completion.choices[0]?.message.content).toBe('hello');
    expect(books()).toMatchObject({ charged: doubleCharge, sequence: 1 });
    expect(new Set(double.keys.filter((key) => key !== '')).size).toBe(1);
    expect([receipts.map(({ problems }) => problems), warnings]).toEqual([[[]], []]);
  });

  it('pays for another call where it asks anew by itself', async () => {
    const pay = payFetch({ fetch: tardy() });
    const left = pay(`${double.url}/v1/chat/completions`, { method: 'POST', body, signal: AbortSignal.timeout(300) });
    await expect(left).rejects.toMatchObject({ name: 'AbortError' });
    expect((await post(pay)).headers.get('idempotent-replayed')).toBeNull();
    expect(books()?.charged).toBe(2n * doubleCharge);
  });
});

describe('what the relay is asked for again', () => {
  it('a call whose settlement is pending, with the same payment', async () => {
    double.mischief.pendingAnswers = 2;
    expect((await post(payFetch())).status).toBe(200);
    expect(paid()).toHaveLength(3);
    expect(new Set(paid()).size).toBe(1);
    expect(books()?.charged).toBe(doubleCharge);
  });

  it("and the caller's own key is kept: repeated, it gets the same answer and receipt, once in the books", async () => {
    const pay = payFetch({ limits: { perDay: '1' } });
    const own = { 'idempotency-key': 'order-17' };
    const texts = [await post(pay, own), await post(pay, own)].map((response) => response.text());
    expect(new Set(await Promise.all(texts)).size).toBe(1);
    expect(double.keys).toEqual(['', 'order-17', 'order-17']);
    expect(books()).toMatchObject({ charged: doubleCharge, sequence: 1 });
    expect(receipts.map(({ sequence, problems }) => [sequence, problems])).toEqual([
      [1, []],
      [1, []],
    ]);
    expect((await readFile(join(seeded.stateDir, 'receipts.jsonl'), 'utf8')).match(/\n/g)).toHaveLength(1);
    const saved = await readFile(join(seeded.stateDir, 'channels.json'), 'utf8');
    expect(JSON.parse(saved)).toMatchObject({ spending: [{ amount: String(doubleCharge) }] });
    expect(warnings).toEqual([]);
  });

  it('an old answer may have an old receipt only where the caller gave the key', async () => {
    const anHourAgo = Date.now() - 3_600_000;
    double.mischief.changeReceipt = (receipt) => ({ ...receipt, admittedAtMs: anHourAgo });
    double.mischief.signedAtMs = anHourAgo;
    const own = { 'idempotency-key': 'order-17' };
    await post(payFetch(), own);
    expect(warnings.join()).toContain('and not when it was made');
    warnings.length = 0;
    await post(payFetch(), own);
    expect(warnings).toEqual([]);
    double.mischief.lostAnswers = 1;
    expect((await post(payFetch())).headers.get('idempotent-replayed')).toBe('true');
    expect(warnings.join()).toContain('and not when it was made');
  });
});
