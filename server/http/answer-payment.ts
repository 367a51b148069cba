import type { RequestHandler } from 'express';
import { isHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { BackgroundLedger } from '../ledger/background-ledger.ts';

/**
 * `GET /v1/payments/{paymentId}`: how far a direct payment is, `{paymentId, kind, status, transaction, token, captured,
 * charge, refundOwed}`, amounts as decimal strings. It tells nothing that the chain does not tell, but the charge; whoever knows the id
 * knows the payment.
 *
 * @throws AutoPayError `not_found`
 */
export function createPaymentHandler(deps: {
  ledger: Pick<BackgroundLedger, 'getPayment'>;
}): RequestHandler<{ paymentId: string }> {
  return async (request, response) => {
    const paymentId = readPaymentId(request.params.paymentId);
    const payment = await deps.ledger.getPayment(paymentId);
    if (payment === undefined) {
      throw new AutoPayError('not_found', 'No call was paid for by this payment.', { param: 'paymentId' });
    }
    const { kind, state, token, captured, charge, transactionHash } = payment;
    const refundOwed = captured > charge ? captured - charge : 0n;
    response.setHeader('cache-control', 'no-store').json({
      ...{ paymentId, kind, status: state, transaction: transactionHash, token },
      ...{ captured: captured.toString(), charge: charge.toString(), refundOwed: refundOwed.toString() },
    });
  };
}

/**
 * The id of a payment in a path, in lower case.
 * @throws AutoPayError `not_found`
 */
export function readPaymentId(value: string): Hex {
  if (isHex(value, 32)) return value.toLowerCase() as Hex;
  const message = 'A payment id is 0x and 64 hexadecimal digits (docs/PROTOCOL.md, "Direct payments").';
  throw new AutoPayError('not_found', message, { param: 'paymentId' });
}
