import type { IncomingMessage } from 'node:http';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { hashApiKey, isApiKey } from '../../keys/api-key.ts';
import type { KeyCache } from '../../keys/key-cache.ts';
import type { LoginSecrets } from '../../keys/login-secrets.ts';
import type { StoredKey } from '../../ledger/key-ledger.ts';
import { readApiKey } from '../../payments/key/read-api-key.ts';
import { headersOf } from '../read-headers.ts';

/** Who asks: a payer that has logged in, or one of its keys. */
export interface Principal {
  payer: Hex;
  /** Null after a login. */
  key: StoredKey | null;
}

/** How principals are told. */
export interface PrincipalDeps {
  secrets: Pick<LoginSecrets, 'checkToken'>;
  cache: Pick<KeyCache, 'find'>;
  /** Unix milliseconds. */
  nowMs: () => number;
}

/**
 * Tells who asks, by `Authorization: Bearer` with a session token or an API key.
 * @throws AutoPayError `login_required`, `invalid_api_key`, `api_key_expired`
 */
export async function readPrincipal(request: IncomingMessage, deps: PrincipalDeps): Promise<Principal> {
  const headers = headersOf(request);
  const apiKey = readApiKey(headers);
  if (apiKey !== undefined) {
    const found = isApiKey(apiKey) ? await deps.cache.find(hashApiKey(apiKey)) : undefined;
    if (!found) throw new AutoPayError('invalid_api_key', 'This API key is not known here, or was deleted.');
    const { key } = found;
    if (key.expiresAtMs !== null && key.expiresAtMs <= deps.nowMs()) {
      throw new AutoPayError('api_key_expired', 'This API key has expired. Use another, or log in with the wallet.');
    }
    return { payer: key.payer, key };
  }
  const [, token = ''] = /^bearer +(\S+)\s*$/i.exec(headers['authorization'] ?? '') ?? [];
  const payer = deps.secrets.checkToken(token);
  if (payer) return { payer, key: null };
  throw new AutoPayError(
    'login_required',
    'Log in first: POST /v1/auth/nonce, then POST /v1/auth/login; send its token as a bearer.',
  );
}

/**
 * Whose keys may be managed: after a login, or by a key that was made to.
 * @throws AutoPayError `forbidden`
 */
export function requireManager({ key, payer }: Principal): Hex {
  if (key === null || key.manages) return payer;
  throw new AutoPayError(
    'forbidden',
    'This API key may not manage keys. Log in with the wallet, or use a key with "manages": true.',
  );
}
