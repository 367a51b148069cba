import type { RequestHandler } from 'express';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { FailedDelivery, WebhookLedger } from '../ledger/webhook-ledger.ts';
import type { Webhooks } from '../webhooks/create-webhooks.ts';
import { requireOperator } from './require-operator.ts';

/** What the operator's handlers of webhooks need. */
export interface WebhooksDeps {
  ledger: Pick<WebhookLedger, 'listFailedDeliveries'>;
  webhooks: Pick<Webhooks, 'progress' | 'retry'>;
  operatorToken: string;
}

const pageSize = 1_000;

/**
 * `GET /v1/operator/webhooks?url={url}&after={index}`: `{webhooks: [{url, behind, waiting, dead, gone}], failed: […], next}`, how far each webhook
 * is, and the receipts that could not be delivered so far, by URL and position in the log, 1,000 at a time; `nextAtMs` is null where they
 * are not tried again. `next` is `{url, after}` of the next page, null at the end.
 *
 * @throws AutoPayError `forbidden`, `invalid_request`
 */
export function createWebhooksHandler({ ledger, webhooks, operatorToken }: WebhooksDeps): RequestHandler {
  return async (request, response) => {
    requireOperator(request, operatorToken);
    const after = readAfter(request.url);
    const failed = await ledger.listFailedDeliveries({ ...(after && { after }), limit: pageSize });
    const last = failed.length < pageSize ? undefined : failed.at(-1);
    const next = last === undefined ? null : { url: last.url, after: last.index };
    response.setHeader('cache-control', 'no-store').json({ webhooks: await webhooks.progress(), failed, next });
  };
}

function readAfter(url: string): Pick<FailedDelivery, 'url' | 'index'> | undefined {
  const { searchParams } = new URL(url, 'http://relay');
  const [receiver, after] = [searchParams.get('url'), searchParams.get('after')];
  if (receiver === null && after === null) return undefined;
  if (receiver !== null && /^[0-9]{1,15}$/.test(after ?? '')) return { url: receiver, index: Number(after) };
  const message = 'url and after have to be the next of the page before.';
  throw new AutoPayError('invalid_request', message, { param: 'after' });
}

/**
 * `POST /v1/operator/webhooks/retry`: `{due}`; makes everything due that could not be delivered, what is not tried any more too, and says
 * how much that is.
 *
 * @throws AutoPayError `forbidden`
 */
export function createRetryWebhooksHandler({ webhooks, operatorToken }: Omit<WebhooksDeps, 'ledger'>): RequestHandler {
  return async (request, response) => {
    requireOperator(request, operatorToken);
    response.json({ due: await webhooks.retry() });
  };
}
