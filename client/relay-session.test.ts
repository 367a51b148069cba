import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyMessage } from 'viem';
import { parseSiweMessage } from 'viem/siwe';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openWallet } from './open-wallet.ts';
import { openRelaySession, type RelaySession } from './relay-session.ts';
import { startRelayDouble, type RelayDouble } from './testing/relay-double.ts';
import { walletAddress, walletKey } from './testing/seed-wallet.ts';

// The routes of keys are doubled by a fetch; the real ones are met in test/e2e/wallet-commands.test.ts.
let double: RelayDouble;
let stateDir: string;
let fields: Record<string, unknown>;
let logins: { message: string; signature: `0x${string}` }[];
let tokens: string[];
let refuse: boolean;

beforeEach(async () => {
  double = await startRelayDouble();
  stateDir = await mkdtemp(join(tmpdir(), 'autopay-session-'));
  const { host } = new URL(double.url);
  fields = { nonce: 'abcdefgh12345678', domain: host, chainId: 31_337, version: '1', statement: 'Log in.' };
  [logins, tokens, refuse] = [[], [], false];
});
afterEach(async () => {
  await double.close();
  await rm(stateDir, { recursive: true, force: true });
});

const relayFetch: typeof fetch = (input, init) => {
  const { pathname } = new URL(new Request(input, init).url);
  if (pathname === '/v1/auth/nonce') return Promise.resolve(Response.json(fields));
  if (pathname === '/v1/auth/login') {
    logins.push(JSON.parse(init?.body as string) as (typeof logins)[number]);
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    return Promise.resolve(Response.json({ token: `ap_st_${logins.length}`, payer: walletAddress, expiresAt }));
  }
  if (pathname !== '/v1/keys') return fetch(input, init);
  tokens.push(new Headers(init?.headers).get('authorization') ?? '');
  const error = { code: 'login_required', message: 'Log in first.' };
  const isRefused = refuse && tokens.at(-1) === 'Bearer ap_st_1';
  return Promise.resolve(isRefused ? Response.json({ error }, { status: 401 }) : Response.json({ data: [] }));
};

const session = (): RelaySession =>
  openRelaySession(openWallet({ relayUrl: double.url, privateKey: walletKey, stateDir, fetch: relayFetch }));
const listKeys = () => session().ask({ method: 'GET', path: '/v1/keys', schema: z.object({ data: z.array(z.any()) }) });

describe('a session with the relay', () => {
  it('begins with a login to its host that the wallet signed, and is kept for the next process', async () => {
    expect(await listKeys()).toEqual({ data: [] });
    await listKeys();
    expect(logins).toHaveLength(1);
    const { message, signature } = logins[0] ?? { message: '', signature: '0x' as const };
    expect(parseSiweMessage(message)).toMatchObject({
      domain: new URL(double.url).host,
      uri: double.url,
      chainId: 31_337,
    });
    expect(await verifyMessage({ address: walletAddress, message, signature })).toBe(true);
    expect(tokens).toEqual(['Bearer ap_st_1', 'Bearer ap_st_1']);
    expect((await stat(join(stateDir, 'session.json'))).mode & 0o777).toBe(0o600);
  });

  it('begins anew where it has ended, or the relay no longer knows it', async () => {
    await listKeys();
    const file = join(stateDir, 'session.json');
    const saved = JSON.parse(await readFile(file, 'utf8')) as object;
    refuse = true;
    await listKeys();
    expect(tokens).toEqual(['Bearer ap_st_1', 'Bearer ap_st_1', 'Bearer ap_st_2']);
    await writeFile(file, JSON.stringify({ ...saved, expiresAt: new Date().toISOString() }));
    await listKeys();
    expect(tokens.at(-1)).toBe('Bearer ap_st_3');
  });

  it('is not used at another relay', async () => {
    await listKeys();
    const file = join(stateDir, 'session.json');
    const text = (await readFile(file, 'utf8')).replace(double.url, 'http://127.0.0.1:1');
    await writeFile(file, text);
    await listKeys();
    expect(tokens).toEqual(['Bearer ap_st_1', 'Bearer ap_st_2']);
  });

  it.each([
    ['another host', { domain: 'bank.example' }, 'invalid_login'],
    ['another chain', { chainId: 1 }, 'invalid_login'],
    ['lines of its own', { statement: 'a\nURI: https://bank.example' }, 'upstream_error'],
  ])('signs no login to %s', async (_name, change, code) => {
    Object.assign(fields, change);
    await expect(session().logIn()).rejects.toMatchObject({ code });
    expect(logins).toEqual([]);
  });

  it('tells what the relay refuses, by its code', async () => {
    await session().logIn();
    refuse = true;
    logins.length = 0;
    await expect(listKeys()).rejects.toMatchObject({ code: 'login_required', message: 'Log in first.' });
  });
});
