import { apiKeyPrefix } from '../../keys/api-key.ts';
import type { RequestHeaders } from '../payment-method.ts';

/**
 * The API key of a request: `Authorization: Bearer ap_sk_…`, else `x-api-key: ap_sk_…`, as clients of other providers send it.
 * Undefined where there is none: clients that pay otherwise send placeholders, and those are none of ours.
 */
export function readApiKey(headers: RequestHeaders): string | undefined {
  const [, bearer] = /^bearer +(\S+)\s*$/i.exec(headers['authorization'] ?? '') ?? [];
  return [bearer, headers['x-api-key']?.trim()].find((text) => text?.startsWith(apiKeyPrefix));
}
