import type { RequestHandler } from 'express';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { admitPayment } from '../payments/admit-payment.ts';
import type { PaymentMethod } from '../payments/payment-method.ts';
import type { CallGate } from './call-gate.ts';
import { headersOf, pathOf } from './read-headers.ts';
import { sendAcknowledgement } from './send-acknowledgement.ts';

const noBody = Buffer.alloc(0);

/**
 * `HEAD` on a path of paid calls: takes what of a payment orders no call, such as a voucher while a stream runs (MPP EVM session
 * draft, "Voucher Submission Transport"). Without a payment it is refused with the offers.
 *
 * @throws AutoPayError `payment_required`, and what the method of payment throws
 */
export function createHeadHandler(deps: {
  gate: Pick<CallGate, 'beginCheck'>;
  payments: readonly PaymentMethod[];
}): RequestHandler {
  return async (request, response) => {
    const endCheck = deps.gate.beginCheck();
    try {
      const asked = { headers: headersOf(request), body: noBody, path: pathOf(request), callId: createCallId() };
      const { acknowledged } = await admitPayment(deps.payments, { ...asked, quotes: () => undefined });
      if (acknowledged) return sendAcknowledgement(response, acknowledged);
      const message = 'HEAD takes payments that order no call: voucher, open, topUp or close of evm/session.';
      throw new AutoPayError('payment_required', message);
    } finally {
      endCheck();
    }
  };
}
