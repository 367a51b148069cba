import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WalletOptions } from './open-wallet.ts';
import { createPayFetch } from './pay-fetch.ts';
import { doubleCharge, startRelayDouble, type RelayDouble } from './testing/relay-double.ts';
import { seededChannelId, seedWallet, walletKey } from './testing/seed-wallet.ts';
import { changeLimits, limitsIn, readLimits } from './wallet-limits.ts';

const usdc = { symbol: 'USDC', decimals: 6 };
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-limits-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('the settings file', () => {
  it('is changed name by name, and private', async () => {
    expect(await readLimits(folder)).toEqual({});
    await changeLimits(folder, { perCall: '0.05', perDay: '2' });
    expect(await changeLimits(folder, { perDeposit: '5', perCall: null })).toEqual({ perDay: '2', perDeposit: '5' });
    expect(await readLimits(folder)).toEqual({ perDay: '2', perDeposit: '5' });
    expect((await stat(join(folder, 'settings.json'))).mode & 0o777).toBe(0o600);
  });

  it.each(['{"limits":{"perWeek":"1"}}', '{"limit":{}}', '{"limits":{"perDay":2}}', '{"limits":{"perDay":"-2"}}', '{'])(
    'is refused where it is not understood: %s',
    async (text) => {
      await writeFile(join(folder, 'settings.json'), text);
      await expect(readLimits(folder)).rejects.toMatchObject({ code: 'invalid_configuration' });
      await expect(changeLimits(folder, { perDay: '1' })).rejects.toMatchObject({ code: 'invalid_configuration' });
      expect(await readFile(join(folder, 'settings.json'), 'utf8')).toBe(text);
    },
  );

  it('takes decimal numbers only', async () => {
    await expect(changeLimits(folder, { perDay: '1e3' })).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(await readLimits(folder)).toEqual({});
  });

  it('and the options both hold: the lower counts, and none is rounded', () => {
    expect(limitsIn(usdc, { perDay: '2', perCall: '0.000001' }, { perDay: '1.5' })).toEqual({
      perDay: 1_500_000n,
      perCall: 1n,
    });
    expect(() => limitsIn(usdc, { perDay: '0.0000001' })).toThrow(
      'The limit for one day (UTC) cannot be 0.0000001: USDC has 6 digits after the point.',
    );
  });
});

describe('a wallet with limits', () => {
  let double: RelayDouble;
  let seeded: Awaited<ReturnType<typeof seedWallet>>;
  beforeEach(async () => {
    double = await startRelayDouble();
    seeded = await seedWallet(double);
  });
  afterEach(async () => {
    await double.close();
    await seeded.remove();
  });

  const wallet = (more: Partial<WalletOptions> = {}) =>
    createPayFetch({ relayUrl: double.url, privateKey: walletKey, stateDir: seeded.stateDir, ...more });
  async function call(pay: typeof fetch, more: object = { max_tokens: 50 }) {
    const body = JSON.stringify({ model: 'paid', messages: [{ role: 'user', content: 'hi' }], ...more });
    const response = await pay(`${double.url}/v1/chat/completions`, { method: 'POST', body });
    const { error } = (await response.json()) as { error?: Record<string, string> };
    return { status: response.status, error };
  }
  const charged = () => double.books.get(seededChannelId)?.charged;
  const spending = async () =>
    (JSON.parse(await readFile(join(seeded.stateDir, 'channels.json'), 'utf8')) as { spending: unknown[] }).spending;

  it('stops at a call that is too dear, and says which limit, the amount and the remedy', async () => {
    const { status, error } = await call(wallet({ limits: { perCall: '0.0001' } }));
    expect([status, error?.['code'], error?.['limit']]).toEqual([402, 'wallet_limit_exceeded', 'perCall']);
    expect(error?.['message']).toMatch(
      /^This call may cost 0\.000\d+ USDC; the limit for one call is 0\.000100 USDC\. Nothing was signed\. To raise it, run: autopay limits set --per-call <amount>$/,
    );
    expect(double.authorizations).toEqual([]);
  });

  it('stops when the day is spent, also after a restart; what calls did not cost is free again', async () => {
    // Each call may cost some 220 units and costs 20: 22 of them fit only if charges replace quotes.
    const limits = { perDay: '0.0007' };
    for (let round = 0; round < 22; round += 1) expect((await call(wallet({ limits }))).status).toBe(200);
    const token = { chainId: 31_337, token: `0x${'dc'.repeat(20)}`, day: new Date().toISOString().slice(0, 10) };
    expect(await spending()).toEqual([{ ...token, amount: String(22n * doubleCharge) }]);
    const { status, error } = await call(wallet({ limits }), { max_tokens: 90 });
    expect([status, error?.['code'], error?.['limit']]).toEqual([402, 'wallet_limit_exceeded', 'perDay']);
    expect(error?.['message']).toContain('0.000440 USDC of it is spent today');
    expect(charged()).toBe(22n * doubleCharge);
  });

  it('begins a new day with the next in UTC', async () => {
    const limits = { perDay: '0.0003' };
    await call(wallet({ limits }));
    const saved = JSON.parse(await readFile(join(seeded.stateDir, 'channels.json'), 'utf8')) as {
      spending: { day: string; amount: string }[];
    };
    const [today] = saved.spending;
    if (today) Object.assign(today, { day: '2026-01-01', amount: '300' });
    await writeFile(join(seeded.stateDir, 'channels.json'), JSON.stringify(saved));
    expect((await call(wallet({ limits }))).status).toBe(200);
    expect(await spending()).toHaveLength(1);
  });

  it('lets parallel calls, of two wallets on one folder, not overspend the day together', async () => {
    const limits = { perDay: '0.0007' };
    const wallets = [wallet({ limits }), wallet({ limits })];
    const calls = await Promise.all(Array.from({ length: 20 }, (_, index) => call(wallets[index % 2] ?? fetch)));
    const refused = calls.filter(({ status }) => status === 402);
    expect(refused.length).toBeGreaterThan(10);
    expect(new Set(refused.map(({ error }) => error?.['limit']))).toEqual(new Set(['perDay']));
    // Quotes in flight count: no more was ever signed than the day allows.
    expect(double.books.get(seededChannelId)?.accepted).toBeLessThanOrEqual(700n);
  });

  it('counts the quote of a call whose outcome it does not know', async () => {
    const limits = { perDay: '0.0004' };
    const gone: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (new Headers(init?.headers).has('authorization')) throw new TypeError('fetch failed');
      return response;
    };
    expect((await call(wallet({ limits, fetch: gone }))).status).toBe(502);
    expect((await call(wallet({ limits }))).error?.['limit']).toBe('perDay');
  });

  it('counts nothing for a call that the relay refused', async () => {
    double.mischief.refuseVouchers = true;
    expect((await call(wallet({ limits: { perDay: '1' } }))).status).toBe(402);
    expect(await spending()).toMatchObject([{ amount: '0' }]);
  });

  it('heeds what the owner sets while it runs', async () => {
    const pay = wallet();
    expect((await call(pay)).status).toBe(200);
    await changeLimits(seeded.stateDir, { perCall: '0.0001' });
    expect((await call(pay)).error?.['limit']).toBe('perCall');
  });

  it('lets the relay shrink a call without an output limit', async () => {
    expect((await call(wallet({ limits: { perCall: '0.0008' } }), {})).status).toBe(200);
    expect(double.books.get(seededChannelId)?.accepted).toBe(800n);
  });
});
