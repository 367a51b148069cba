import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { createLoginSecrets, nonceLifetimeMs } from './login-secrets.ts';

const payer: Hex = `0x${'ab'.repeat(20)}`;
const secret = Buffer.alloc(32, 7);

function setUp() {
  const clock = { ms: 1_790_000_000_000 };
  return { clock, secrets: createLoginSecrets({ secret, chainId: 8453, nowMs: () => clock.ms }) };
}

describe('a nonce', () => {
  it('is ours until it lapses', () => {
    const { clock, secrets } = setUp();
    const { nonce, expiresAtMs } = secrets.issueNonce();
    expect(nonce).toMatch(/^[a-zA-Z0-9]{8,96}$/);
    expect(secrets.checkNonce(nonce)).toBe(expiresAtMs);
    clock.ms += nonceLifetimeMs;
    expect(secrets.checkNonce(nonce)).toBeUndefined();
  });

  it('that was changed, or made by somebody else, is not', () => {
    const { clock, secrets } = setUp();
    const { nonce } = secrets.issueNonce();
    const foreign = createLoginSecrets({ secret: randomBytes(32), chainId: 8453, nowMs: () => clock.ms });
    expect(foreign.checkNonce(nonce)).toBeUndefined();
    for (let at = 0; at < nonce.length; at += 1) {
      const changed = `${nonce.slice(0, at)}${nonce[at] === '0' ? '1' : '0'}${nonce.slice(at + 1)}`;
      expect(secrets.checkNonce(changed)).toBeUndefined();
    }
    for (const text of ['', 'ap', 'ap00', `${nonce}00`]) expect(secrets.checkNonce(text)).toBeUndefined();
  });
});

describe('a session token', () => {
  it('says whose it is until it lapses', () => {
    const { clock, secrets } = setUp();
    const token = secrets.issueToken(payer, clock.ms + 1_000);
    expect(secrets.checkToken(token)).toBe(payer);
    clock.ms += 1_000;
    expect(secrets.checkToken(token)).toBeUndefined();
  });

  it('is worth nothing on another chain, where the address may be a contract of somebody else', () => {
    const { clock, secrets } = setUp();
    const elsewhere = createLoginSecrets({ secret, chainId: 42_161, nowMs: () => clock.ms });
    expect(elsewhere.checkToken(secrets.issueToken(payer, clock.ms + 1_000))).toBeUndefined();
    expect(elsewhere.checkNonce(secrets.issueNonce().nonce)).toBeUndefined();
  });

  it('cannot be changed, nor made from a nonce', () => {
    const { clock, secrets } = setUp();
    const token = secrets.issueToken(payer, clock.ms + 1_000);
    const bytes = Buffer.from(token.slice(6), 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(secrets.checkToken(`ap_st_${changed.toString('base64url')}`)).toBeUndefined();
    }
    const { nonce } = secrets.issueNonce();
    expect(secrets.checkToken(`ap_st_${Buffer.from(nonce.slice(2), 'hex').toString('base64url')}`)).toBeUndefined();
  });
});
