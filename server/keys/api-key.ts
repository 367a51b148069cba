import { hash, randomBytes } from 'node:crypto';
import type { Hex } from '../../protocol/bytes/hex.ts';

/** What every API key begins with; a bearer token without it is none of ours. */
export const apiKeyPrefix = 'ap_sk_';

const pattern = /^ap_sk_[A-Za-z0-9_-]{43}$/;

/** A new API key: the prefix and 32 random bytes in base64url. It MUST be shown once and stored nowhere. */
export function createApiKey(): string {
  return `${apiKeyPrefix}${randomBytes(32).toString('base64url')}`;
}

/** Whether `text` has the form of an API key. */
export function isApiKey(text: string): boolean {
  return pattern.test(text);
}

/** What is stored of an API key: its SHA-256. 256 random bits need no slow hash and no salt. */
export function hashApiKey(apiKey: string): Hex {
  return `0x${hash('sha256', apiKey, 'hex')}`;
}

/** How people tell API keys apart, as in `ap_sk_…x7Qk`: 24 of 256 bits are told. */
export function hintOfApiKey(apiKey: string): string {
  return `${apiKeyPrefix}…${apiKey.slice(-4)}`;
}

/** A new id, such as `key_` or `prj_` and 24 hexadecimal digits. */
export function createId(prefix: 'key_' | 'prj_'): string {
  return `${prefix}${randomBytes(12).toString('hex')}`;
}
