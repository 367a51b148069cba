import type { IncomingMessage } from 'node:http';
import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { CallFilter } from '../../ledger/queries/audit-queries.ts';
import { readPrincipal, type PrincipalDeps } from '../keys/read-principal.ts';
import { hasSecret, requireOperator } from '../require-operator.ts';

/** Who asks about calls: the operator, or a payer; an API key that does not manage sees what it spent itself. */
export type Asker = { kind: 'operator' } | { kind: 'payer'; payer: Hex; keyId: string | null };

/** How askers are told, and what they may see. */
export interface AskerDeps {
  operatorToken: string;
  /** Undefined where there are no logins and keys: then there is only the operator. */
  principals: PrincipalDeps | undefined;
  /** Where logins and keys count. */
  chainId: number;
  /** Whether the operator is shown all chains here, or this one only. */
  showsAllChains: boolean;
}

/**
 * Tells who asks, by `Authorization: Bearer` with the operator's token, a session token or an API key.
 * @throws AutoPayError `forbidden`, `login_required`, `invalid_api_key`, `api_key_expired`
 */
export async function readAsker(request: IncomingMessage, deps: AskerDeps): Promise<Asker> {
  if (hasSecret(request, deps.operatorToken)) return { kind: 'operator' };
  if (!deps.principals) {
    requireOperator(request, deps.operatorToken);
    return { kind: 'operator' };
  }
  const { payer, key } = await readPrincipal(request, deps.principals);
  return { kind: 'payer', payer, keyId: key && !key.manages ? key.keyId : null };
}

/** What of the calls an asker wants to see. */
type Wanted = Pick<CallFilter, 'chainId' | 'payer' | 'keyId'>;

/**
 * What of it the asker may see: the operator everything; a payer, and a key, what is its own on the chain of its login.
 * @throws AutoPayError `forbidden` for what is somebody else's by name
 */
export function limitTo(asker: Asker, wanted: Wanted, deps: Pick<AskerDeps, 'chainId' | 'showsAllChains'>): Wanted {
  const isElsewhere = wanted.chainId !== undefined && wanted.chainId !== deps.chainId;
  if (isElsewhere && (asker.kind === 'payer' || !deps.showsAllChains)) {
    throw refuse('chain_id', `Here you see the calls of chain ${deps.chainId}. Ask at /chains/${wanted.chainId}.`);
  }
  if (asker.kind === 'operator') return deps.showsAllChains ? wanted : { ...wanted, chainId: deps.chainId };
  if (wanted.payer !== undefined && wanted.payer !== asker.payer) {
    throw refuse('payer', 'These calls are of another payer. Leave payer out to see your own.');
  }
  if (asker.keyId !== null && wanted.keyId !== undefined && wanted.keyId !== asker.keyId) {
    throw refuse('key_id', 'This API key sees its own calls only. Leave key_id out, or log in with the wallet.');
  }
  const keyId = asker.keyId ?? wanted.keyId;
  return { chainId: deps.chainId, payer: asker.payer, ...(keyId !== undefined && { keyId }) };
}

function refuse(param: string, message: string): AutoPayError {
  return new AutoPayError('forbidden', message, { param });
}
