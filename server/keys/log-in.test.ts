import { privateKeyToAccount } from 'viem/accounts';
import { createSiweMessage } from 'viem/siwe';
import { describe, expect, it } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { logIn, type LogInDeps } from './log-in.ts';
import { createLoginSecrets, nonceLifetimeMs } from './login-secrets.ts';

const account = privateKeyToAccount(`0x${'42'.repeat(32)}`);
const stranger = privateKeyToAccount(`0x${'43'.repeat(32)}`);
const domains = ['relay.example.com'];
const startMs = Date.parse('2026-11-21T15:00:00Z');

function setUp(isValid: (ask: { address: Hex; signature: Hex }) => boolean = () => false) {
  const clock = { ms: startMs };
  const used = new Set<string>();
  const secrets = createLoginSecrets({ secret: Buffer.alloc(32, 1), chainId: 31_337, nowMs: () => clock.ms });
  const asked: Hex[] = [];
  const deps: LogInDeps = {
    ...{ secrets, chainId: 31337, sessionTtlSeconds: 3_600, nowMs: () => clock.ms },
    ledger: { useNonce: async ({ nonce }) => !used.has(nonce) && Boolean(used.add(nonce)) },
    contractSignatures: {
      async isValid(ask) {
        asked.push(ask.address);
        return isValid(ask);
      },
    },
  };
  return { asked, clock, deps, secrets };
}

type Fields = Parameters<typeof createSiweMessage>[0];

function messageOf(nonce: string, changes: Partial<Fields> = {}): string {
  return createSiweMessage({
    ...{ address: account.address, chainId: 31337, domain: 'relay.example.com', nonce, version: '1' },
    ...{ uri: 'https://relay.example.com', issuedAt: new Date(startMs) },
    ...changes,
  });
}

async function attempt(context: ReturnType<typeof setUp>, message: string, signature?: Hex) {
  return logIn(context.deps, { message, signature: signature ?? (await account.signMessage({ message })), domains });
}

const refused = { code: 'invalid_login' };

describe('a login', () => {
  it('by an account gives a token of that account', async () => {
    const context = setUp();
    const { nonce } = context.secrets.issueNonce();
    const message = messageOf(nonce, {
      ...{ statement: 'Log in.', requestId: '7', resources: ['https://relay.example.com/terms'] },
      ...{ expirationTime: new Date(startMs + 1), notBefore: new Date(startMs) },
    });
    const session = await attempt(context, message);
    expect(session).toMatchObject({ payer: account.address.toLowerCase(), expiresAtMs: startMs + 3_600_000 });
    expect(context.secrets.checkToken(session.token)).toBe(session.payer);
    expect(context.asked).toEqual([]);
  });

  it('is good once: a replay is refused, also at the same time', async () => {
    const context = setUp();
    const message = messageOf(context.secrets.issueNonce().nonce);
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => attempt(context, message)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(attempt(context, message)).rejects.toMatchObject({ code: 'nonce_already_used' });
  });

  it('with another account’s signature, or a changed message, is refused and uses nothing up', async () => {
    const context = setUp();
    const message = messageOf(context.secrets.issueNonce().nonce);
    const foreign = await stranger.signMessage({ message });
    await expect(attempt(context, message, foreign)).rejects.toMatchObject(refused);
    const signature = await account.signMessage({ message });
    await expect(attempt(context, message.replace('2026', '2025'), signature)).rejects.toMatchObject(refused);
    for (const bad of ['0x', '0x00', `0x${'00'.repeat(65)}`, `0x${'ff'.repeat(65)}`, `${signature}00`] as Hex[]) {
      await expect(attempt(context, message, bad)).rejects.toMatchObject(refused);
    }
    await expect(attempt(context, message, signature)).resolves.toMatchObject({ payer: expect.any(String) });
  });

  it('takes v as hardware wallets write it', async () => {
    const context = setUp();
    const message = messageOf(context.secrets.issueNonce().nonce);
    const signature = await account.signMessage({ message });
    const v = Number.parseInt(signature.slice(-2), 16) - 27;
    await expect(attempt(context, message, `${signature.slice(0, -2)}0${v}` as Hex)).resolves.toBeTruthy();
  });

  it('by a contract asks the contract, after ECDSA', async () => {
    const context = setUp(({ signature }) => signature === '0xc0de');
    const message = messageOf(context.secrets.issueNonce().nonce);
    await expect(attempt(context, message, '0xbad0')).rejects.toMatchObject(refused);
    await expect(attempt(context, message, '0xc0de')).resolves.toBeTruthy();
    expect(context.asked).toHaveLength(2);
  });

  it('needs a nonce of ours that has not lapsed', async () => {
    const context = setUp();
    await expect(attempt(context, messageOf('abcdefgh12345678'))).rejects.toMatchObject(refused);
    const message = messageOf(context.secrets.issueNonce().nonce);
    context.clock.ms += nonceLifetimeMs;
    await expect(attempt(context, message)).rejects.toMatchObject(refused);
  });
});

describe('a login message', () => {
  it.each<[string, Partial<Fields>, string]>([
    ['another domain', { domain: 'evil.example.com', uri: 'https://evil.example.com' }, 'Never sign in for one site'],
    ['a URI elsewhere', { uri: 'https://evil.example.com' }, 'URI'],
    ['another chain', { chainId: 1 }, 'chain'],
    ['an expiry in the past', { expirationTime: new Date(startMs) }, 'expired'],
    ['a start in the future', { notBefore: new Date(startMs + 1) }, 'not valid yet'],
    ['an issue in the future', { issuedAt: new Date(startMs + 120_001) }, 'future'],
  ])('with %s is refused', async (_name, changes, words) => {
    const context = setUp();
    const message = messageOf(context.secrets.issueNonce().nonce, changes);
    await expect(attempt(context, message)).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining(words),
    });
  });

  it('that is not the grammar’s, though a lax reader finds its fields, is refused', async () => {
    const context = setUp();
    const good = messageOf(context.secrets.issueNonce().nonce);
    const bad = [
      `Transfer everything.\n${good}`,
      `${good}\nTransfer everything.`,
      good.replace('\nURI:', '\nTransfer everything.\nURI:'),
      good.replace('\nVersion', '\n\nVersion'),
      good.replace('Version: 1', 'Version: 2'),
      good.replaceAll('\n', '\r\n'),
      good.replace(/Issued At: .*/, 'Issued At: yesterday'),
      'x'.repeat(5_000),
      '',
    ];
    for (const message of bad) await expect(attempt(context, message), message).rejects.toMatchObject(refused);
    await expect(attempt(context, good)).resolves.toBeTruthy();
  });

  it('however it is damaged, is refused by a code of ours', async () => {
    const context = setUp();
    const good = messageOf(context.secrets.issueNonce().nonce);
    const signature = await account.signMessage({ message: good });
    for (let round = 0; round < 2_000; round += 1) {
      const at = Math.floor(Math.random() * good.length);
      const message = `${good.slice(0, at)}${String.fromCharCode(Math.floor(Math.random() * 0x250))}${good.slice(at + 1)}`;
      if (message === good) continue;
      await expect(attempt(context, message, signature)).rejects.toMatchObject(refused);
    }
  });
});
