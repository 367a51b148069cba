import type { RequestHandler } from 'express';
import { isHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import { readPaymentId } from './answer-payment.ts';
import { requireOperator } from './require-operator.ts';

/** What the operator's handlers of losses need. */
export interface LossesDeps {
  ledger: Pick<BackgroundLedger, 'listLosses' | 'getPayment' | 'forgivePayment'>;
  operatorToken: string;
}

const pageSize = 1_000;

/**
 * `GET /v1/operator/losses?after={paymentId}`: `{losses: […], next}`, what was delivered and could not be taken, oldest first, 1,000
 * at a time; `next` is the `after` of the next page, null at the end. Amounts as decimal strings. As long as one stands here, its
 * payer is refused.
 *
 * @throws AutoPayError `forbidden`, `invalid_request`
 */
export function createLossesHandler({ ledger, operatorToken }: LossesDeps): RequestHandler {
  return async (request, response) => {
    requireOperator(request, operatorToken);
    const after = readAfter(request.url);
    const page = await ledger.listLosses({ ...(after !== undefined && { after }), limit: pageSize });
    const losses = page.map(
      ({ paymentId, kind, payer, token, captured, charge, callId, lossReason, validBefore, chargedAtMs }) => ({
        ...{ paymentId, kind, payer, token, captured: captured.toString(), charge: charge.toString() },
        ...{ callId, reason: lossReason, retriedUntil: validBefore, chargedAtMs },
      }),
    );
    const next = page.length < pageSize ? null : (page.at(-1)?.paymentId ?? null);
    response.setHeader('cache-control', 'no-store').json({ losses, next });
  };
}

function readAfter(url: string): Hex | undefined {
  const value = new URL(url, 'http://relay').searchParams.get('after');
  if (value === null) return undefined;
  if (isHex(value, 32)) return value.toLowerCase() as Hex;
  const message = 'after has to be a payment id, the next of the page before it.';
  throw new AutoPayError('invalid_request', message, { param: 'after' });
}

/**
 * `POST /v1/operator/losses/{paymentId}/forgive`: gives a loss up, so that its payer is served again. Forgiving twice is
 * no error.
 *
 * @throws AutoPayError `forbidden`, `not_found`
 */
export function createForgiveHandler({ ledger, operatorToken }: LossesDeps): RequestHandler<{ paymentId: string }> {
  return async (request, response) => {
    requireOperator(request, operatorToken);
    const paymentId = readPaymentId(request.params.paymentId);
    const payment = await ledger.getPayment(paymentId);
    if (payment?.state !== 'lost' && payment?.state !== 'forgiven') {
      const message = 'This payment is no loss. GET /v1/operator/losses lists them.';
      throw new AutoPayError('not_found', message, { param: 'paymentId' });
    }
    await ledger.forgivePayment(paymentId);
    response.json({ paymentId, status: 'forgiven' });
  };
}
