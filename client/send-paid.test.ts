import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WalletOptions } from './open-wallet.ts';
import { createPayFetch } from './pay-fetch.ts';
import type { StoredReceipt } from './receipt-store.ts';
import { doubleCharge, startRelayDouble, type RelayDouble } from './testing/relay-double.ts';
import { seededChannelId, seedWallet, walletKey } from './testing/seed-wallet.ts';

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
