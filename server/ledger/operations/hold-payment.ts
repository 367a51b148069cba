import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { maxAmount } from '../amount-blob.ts';
import { roundUpToUnit } from '../billing-units.ts';
import { maxPaymentPayloadBytes, type DirectPayment, type ReserveRequest } from '../ledger.ts';
import type { PaymentStore } from '../payment-store.ts';
import { refuseDebtor } from './hold-channel.ts';
import { refuse, type FundsPlan, type Refused } from './hold-funds.ts';

/** @throws AutoPayError `internal_error` for a payment that its method must not let through. */
function requireSane({ token }: ReserveRequest, payment: DirectPayment): void {
  const { maximum, payload } = payment;
  const isSane =
    payment.token.toLowerCase() === token.toLowerCase() &&
    maximum >= 0n &&
    maximum <= maxAmount &&
    Buffer.byteLength(payload) <= maxPaymentPayloadBytes;
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
    if (known === undefined && payments.isElsewhere(payment.paymentId)) return refuse('payment_already_used', none);
    const { available } = payment;
    if (available === null) {
      if (known === undefined) {
        throw new AutoPayError('internal_error', `Nobody has looked at payment ${payment.paymentId}.`);
      }
      // It was admitted as the repetition of a call that is released by now: what was true of it then may have changed.
      return refuse('idempotent_repeat', none, { usedByCallId: known.callId, usedByState: 'released' });
    }
    const owed = refuseDebtor(payments, { ...none, payer: payment.payer });
    if (owed !== undefined) return owed;
    if (quote > payment.maximum) return refuse('insufficient_headroom', none);
    const short = refuseOpen(payments, request, { payment, available });
    if (short !== undefined) return short;
    const token = payment.token.toLowerCase() as typeof payment.token;
    return { ok: true, channel: null, token, write: () => payments.reserve(payment, callId) };
  };
}

/** The refusal of a payment that would leave too much open: more than the wallet has, or than the relay lets a payer owe. */
function refuseOpen(
  payments: PaymentStore,
  request: ReserveRequest,
  { payment, available }: { payment: DirectPayment; available: bigint },
): Refused | undefined {
  const { quote, maxUnsettled } = request;
  const { kind, maximum, payer, token } = payment;
  const isAllowance = kind === 'allowance';
  const byAllowance = payments.sumOpenAllowances(payer, token);
  const signed = payments.sumOpenSigned(payer, token);
  const open = isAllowance ? byAllowance : signed;
  const left = available > open ? available - open : 0n;
  const wanted = isAllowance ? roundUpToUnit(quote) : kind === 'permit2-upto' ? quote : maximum;
  if (wanted > left) {
    const code = isAllowance ? 'insufficient_allowance' : 'insufficient_funds';
    return refuse(code, { channel: null, request }, { availableAllowance: left });
  }
  const amount = byAllowance + signed;
  if (maxUnsettled === null || amount === 0n || amount + wanted <= maxUnsettled) return undefined;
  return refuse('unsettled_limit_reached', { channel: null, request }, { unsettled: { amount, limit: maxUnsettled } });
}
