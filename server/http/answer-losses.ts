import type { RequestHandler } from 'express';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';
import { readPaymentId } from './answer-payment.ts';
import { requireOperator } from './require-operator.ts';

/** What the operator's handlers of losses need. */
export interface LossesDeps {
  ledger: Pick<BackgroundLedger, 'listLosses' | 'getPayment' | 'forgivePayment'>;
  operatorToken: string;
}

/**
 * `GET /v1/operator/losses`: `{losses: […]}`, what was delivered and could not be taken, oldest first, at most 1,000. Amounts as
 * decimal strings. As long as one stands here, its payer is refused.
 *
 * @throws AutoPayError `forbidden`
 */
export function createLossesHandler({ ledger, operatorToken }: LossesDeps): RequestHandler {
  return async (request, response) => {
    requireOperator(request, operatorToken);
    const losses = (await ledger.listLosses()).map(
      ({ paymentId, kind, payer, token, captured, charge, callId, lossReason, validBefore, chargedAtMs }) => ({
        ...{ paymentId, kind, payer, token, captured: captured.toString(), charge: charge.toString() },
        ...{ callId, reason: lossReason, retriedUntil: validBefore, chargedAtMs },
      }),
    );
    response.setHeader('cache-control', 'no-store').json({ losses });
  };
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
