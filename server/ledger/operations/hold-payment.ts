import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { maxAmount } from '../amount-blob.ts';
import { roundUpToUnit } from '../billing-units.ts';
import { maxPaymentPayloadBytes, type DirectPayment, type ReserveRequest } from '../ledger.ts';
import type { PaymentStore } from '../payment-store.ts';
import { refuseDebtor } from './hold-channel.ts';
import { refuse, type FundsPlan } from './hold-funds.ts';

/** @throws AutoPayError `internal_error` for a payment that its method must not let through. */
function requireSane({ token }: ReserveRequest, payment: DirectPayment): void {
  const { maximum, payload, available, kind } = payment;
  const isSane =
    payment.token.toLowerCase() === token.toLowerCase() &&
    maximum >= 0n &&
    maximum <= maxAmount &&
    Buffer.byteLength(payload) <= maxPaymentPayloadBytes &&
    (kind !== 'allowance' || available !== null);
  if (isSane) return;
  throw new AutoPayError(
    'internal_error',
    'A direct payment is of the call’s token, up to 2^128 − 1, with a payload of at most 8 KiB.',
  );
}

/**
 * Plans a call that is paid by a payment of its own: the payment is reserved for it before the upstream is called, whatever
 * else arrives at the same time. A payment whose call was released may be tried again.
 * @throws AutoPayError `internal_error` if the payment is malformed, or of another token than the quote.
 */
export function createPlanPayment({ payments }: { payments: PaymentStore }) {
  return function planPayment(request: ReserveRequest, payment: DirectPayment): FundsPlan {
    requireSane(request, payment);
    const { callId, quote } = request;
    const none = { channel: null, request };
    const known = payments.find(payment.paymentId);
    if (known !== undefined && known.state !== 'released') {
      return refuse('payment_already_used', none, { usedByCallId: known.callId });
    }
    const owed = refuseDebtor(payments, { ...none, payer: payment.payer });
    if (owed !== undefined) return owed;
    if (quote > payment.maximum) return refuse('insufficient_headroom', none);
    const { kind, available } = payment;
    if (available !== null) {
      const isAllowance = kind === 'allowance';
      const open = isAllowance
        ? payments.sumOpenAllowances(payment.payer, payment.token)
        : payments.sumOpenSigned(payment.payer, payment.token);
      const left = available > open ? available - open : 0n;
      const wanted = isAllowance ? roundUpToUnit(quote) : kind === 'permit2-upto' ? quote : payment.maximum;
      if (wanted > left) {
        const code = isAllowance ? 'insufficient_allowance' : 'insufficient_funds';
        return refuse(code, none, { availableAllowance: left });
      }
    }
    const token = payment.token.toLowerCase() as typeof payment.token;
    return { ok: true, channel: null, token, write: () => payments.reserve(payment, callId) };
  };
}
