import canonicalize from 'canonicalize';
import { AutoPayError } from '../errors/auto-pay-error.ts';

/** base64url without padding of the RFC 8785 (JCS) form of `value`. Amounts must be strings. */
export function encodeBase64UrlJson(value: unknown): string {
  const canonical = canonicalize(value);
  if (canonical === undefined) throw new TypeError('the value has no JSON form');
  return Buffer.from(canonical, 'utf8').toString('base64url');
}

/**
 * Parses base64url JSON.
 * @throws AutoPayError `malformed_credential`.
 */
export function decodeBase64UrlJson(encoded: string): unknown {
  if (!/^[A-Za-z0-9_-]+$/.test(encoded)) {
    throw new AutoPayError('malformed_credential', 'Expected base64url without padding.');
  }
  try {
    return JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
  } catch (cause) {
    throw new AutoPayError('malformed_credential', 'The base64url text does not hold JSON.', { cause });
  }
}
