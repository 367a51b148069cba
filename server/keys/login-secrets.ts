import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { fromHex, isHex, toHex, type Hex } from '../../protocol/bytes/hex.ts';

/** How long a nonce may be answered, milliseconds. */
export const nonceLifetimeMs = 600_000;

/** Begins every session token, so that it is told from an API key at a glance. */
export const sessionTokenPrefix = 'ap_st_';

const macBytes = 16;

/** What a login gives, and what it needs: both are checked without a look into any table. */
export interface LoginSecrets {
  /** A nonce for a login message; `ap` and hexadecimal digits, as EIP-4361 wants letters and digits. */
  issueNonce(): { nonce: string; expiresAtMs: number };
  /** When a nonce of ours lapses, unix milliseconds; undefined if it is none of ours or has lapsed. */
  checkNonce(nonce: string): number | undefined;
  /** A token that says until when its bearer is a payer. */
  issueToken(payer: Hex, expiresAtMs: number): string;
  /** Whose token it is; undefined if it is none of ours or has lapsed. */
  checkToken(token: string): Hex | undefined;
}

/**
 * @param options.secret at least 32 bytes; relays that share one know each other's nonces and tokens
 * @param options.chainId where logins count. One address may be different owners' contracts on two chains, and what one of them
 * signs by ERC-1271 says nothing of the other
 * @param options.nowMs unix milliseconds
 */
export function createLoginSecrets(options: {
  secret: Uint8Array;
  chainId: number;
  nowMs: () => number;
}): LoginSecrets {
  const { chainId, nowMs, secret } = options;
  const keyFor = (purpose: string) =>
    Buffer.from(hkdfSync('sha256', secret, '', `autopay ${purpose} v2 on ${chainId}`, 32));
  const nonceKey = keyFor('login nonce');
  const tokenKey = keyFor('session token');

  /** Fields, then a MAC over them. */
  const seal = (key: Buffer, fields: Buffer) =>
    Buffer.concat([fields, createHmac('sha256', key).update(fields).digest().subarray(0, macBytes)]);
  const open = (key: Buffer, sealed: Buffer, fieldBytes: number): Buffer | undefined => {
    if (sealed.length !== fieldBytes + macBytes) return undefined;
    const fields = sealed.subarray(0, fieldBytes);
    return timingSafeEqual(seal(key, fields), sealed) ? fields : undefined;
  };
  const timeOf = (fields: Buffer): number | undefined => {
    const expiresAtMs = fields.readUIntBE(0, 6);
    return expiresAtMs > nowMs() ? expiresAtMs : undefined;
  };
  const withTime = (expiresAtMs: number, rest: Buffer) => {
    const time = Buffer.alloc(6);
    time.writeUIntBE(expiresAtMs, 0, 6);
    return Buffer.concat([time, rest]);
  };

  return {
    issueNonce() {
      const expiresAtMs = nowMs() + nonceLifetimeMs;
      return { nonce: `ap${seal(nonceKey, withTime(expiresAtMs, randomBytes(10))).toString('hex')}`, expiresAtMs };
    },
    checkNonce(nonce) {
      const hex = `0x${nonce.slice(2)}`;
      if (!nonce.startsWith('ap') || !isHex(hex, 16 + macBytes)) return undefined;
      const fields = open(nonceKey, fromHex(hex), 16);
      return fields && timeOf(fields);
    },
    issueToken(payer, expiresAtMs) {
      return `${sessionTokenPrefix}${seal(tokenKey, withTime(expiresAtMs, fromHex(payer, 20))).toString('base64url')}`;
    },
    checkToken(token) {
      if (!token.startsWith(sessionTokenPrefix)) return undefined;
      const fields = open(tokenKey, Buffer.from(token.slice(sessionTokenPrefix.length), 'base64url'), 26);
      if (!fields || timeOf(fields) === undefined) return undefined;
      return toHex(fields.subarray(6));
    },
  };
}
