import { createHash } from 'node:crypto';
import type { ModelRequest } from '../endpoints/endpoint.ts';
import type { ChosenRoute } from '../route-choice.ts';
import type { CallRequest } from '../types.ts';
import type { CacheTerms } from './cache-terms.ts';

/** Headers that change what a provider answers. */
const keyedHeaders = ['anthropic-beta', 'anthropic-version'];

/**
 * What has to be the same for an answer to be given again: the exact bytes of the body, the endpoint, the route with the deployments
 * that could answer, and, unless the cache is shared, the channel, API key or wallet that pays, with its chain.
 * @returns null for a request whose answer is not stored: nobody is known to pay for it, or its provider is to keep it (`store`)
 */
export function cacheKeyOf(options: {
  request: Pick<CallRequest, 'body' | 'headers' | 'path'> & {
    payment: Pick<CallRequest['payment'], 'funds' | 'idempotencyScope'>;
  };
  asked: Pick<ModelRequest, 'value'>;
  chosen: Pick<ChosenRoute, 'deployments' | 'route'>;
  terms: Pick<CacheTerms, 'scope'>;
  /** Which it is paid on. */
  chainId: number;
}): string | null {
  const { asked, chainId, chosen, request, terms } = options;
  const { funds, idempotencyScope } = request.payment;
  if (funds === null || asked.value['store'] === true) return null;
  if (terms.scope === 'payer' && idempotencyScope === null) return null;
  const parts = [
    // An address may be one owner's contract here, and another's on the next chain: its Idempotency-Keys are its own on each, too.
    terms.scope === 'shared' ? 'shared' : `payer:${chainId}:${idempotencyScope}`,
    request.path,
    chosen.route.model,
    ...chosen.deployments.map(({ id, model }) => `${id} ${model}`),
    ...keyedHeaders.map((name) => request.headers[name] ?? ''),
  ];
  // JSON keeps the parts apart; the body follows what has an end of its own.
  return createHash('sha256').update(JSON.stringify(parts)).update(request.body).digest('base64');
}
