import type { RequestHandler } from 'express';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { isCallId } from '../../protocol/receipt/call-id.ts';
import type { PurchaseLedger } from '../ledger/purchase-ledger.ts';
import { requireOperator } from './require-operator.ts';

/** What the operator's handlers of purchases need. */
export interface PurchasesDeps {
  ledger: Pick<PurchaseLedger, 'listPurchases'>;
  /** How the channels with providers are, as JSON. */
  channels: () => readonly object[];
  /** Lifts what stopped the channel of a provider; false if it has none. */
  resume: (provider: string) => Promise<boolean>;
}

const pageSize = 1_000;

/**
 * `GET /v1/operator/purchases?after={purchaseId}&callId={callId}`: `{purchases: […], channels: […], next}`, what providers were paid for
 * attempts, failed ones too, oldest first, 1,000 at a time; `next` is the `after` of the next page, null at the end. `cost` is null
 * while it is not known; then `maximum` counts. Amounts are decimal strings.
 *
 * @throws AutoPayError `forbidden`, `invalid_request`
 */
export function createPurchasesHandler(deps: PurchasesDeps & { operatorToken: string }): RequestHandler {
  return async (request, response) => {
    requireOperator(request, deps.operatorToken);
    const { searchParams } = new URL(request.url, 'http://relay');
    const callId = searchParams.get('callId');
    if (callId !== null && !isCallId(callId)) {
      throw new AutoPayError('invalid_request', 'callId has to be an x-autopay-call-id.', { param: 'callId' });
    }
    const after = readAfter(searchParams.get('after'));
    const page = await deps.ledger.listPurchases({ after, limit: pageSize, ...(callId !== null && { callId }) });
    const purchases = page.map(({ cost, cumulative, maximum, ...purchase }) => ({
      ...purchase,
      ...{ maximum: String(maximum), cost: cost === null ? null : String(cost) },
      cumulative: cumulative === null ? null : String(cumulative),
    }));
    const next = page.length < pageSize ? null : (page.at(-1)?.purchaseId ?? null);
    response.setHeader('cache-control', 'no-store').json({ purchases, channels: deps.channels(), next });
  };
}

function readAfter(value: string | null): number {
  if (value === null) return 0;
  if (/^[0-9]{1,15}$/.test(value)) return Number(value);
  throw new AutoPayError('invalid_request', 'after has to be a number, the next of the page before it.', {
    param: 'after',
  });
}

/**
 * `POST /v1/operator/purchases/{provider}/resume`: pays a provider again whose channel was stopped. Resuming twice is no error.
 *
 * @throws AutoPayError `forbidden`, `not_found`
 */
export function createResumeHandler(
  deps: PurchasesDeps & { operatorToken: string },
): RequestHandler<{ provider: string }> {
  return async (request, response) => {
    requireOperator(request, deps.operatorToken);
    const { provider } = request.params;
    if (!(await deps.resume(provider))) {
      throw new AutoPayError('not_found', 'This provider has no channel. GET /v1/operator/purchases lists them.', {
        param: 'provider',
      });
    }
    response.json({ provider, status: 'resumed' });
  };
}
