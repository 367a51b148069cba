import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { PaymentStore } from '../payment-store.ts';

/** The longest reason of a loss, in UTF-16 code units; more is cut off. */
const maxReasonLength = 1_024;

/**
 * Records that a payment's transaction succeeded; repeating it has no effect. Of a forgiven one too: the money is there, to be booked
 * and given back.
 * @throws AutoPayError `internal_error` unless it was due, lost or forgiven, or another transaction settled it.
 */
export function createSettlePayment({ payments }: { payments: PaymentStore }) {
  return function settlePayment(result: { paymentId: Hex; transactionHash: Hex }): void {
    const { state, transactionHash } = payments.get(result.paymentId);
    if (state === 'settled' && transactionHash === result.transactionHash.toLowerCase()) return;
    if (state === 'settled') {
      const how = transactionHash === null ? 'takes nothing' : `was settled by ${transactionHash}`;
      throw new AutoPayError('internal_error', `Payment ${result.paymentId} ${how}: no other transaction is for it.`);
    }
    payments.settle(result.paymentId, result.transactionHash);
  };
}

/**
 * Records that a due payment cannot be settled now, and why; of a lost one, the newest reason.
 * @throws AutoPayError `internal_error` unless it was due or lost.
 */
export function createLosePayment({ payments }: { payments: PaymentStore }) {
  return function losePayment({ paymentId, reason }: { paymentId: Hex; reason: string }): void {
    payments.lose(paymentId, reason.slice(0, maxReasonLength));
  };
}

/**
 * Gives a lost payment up; repeating it has no effect.
 * @throws AutoPayError `internal_error` unless it was lost.
 */
export function createForgivePayment({ payments }: { payments: PaymentStore }) {
  return function forgivePayment(paymentId: Hex): void {
    if (payments.get(paymentId).state !== 'forgiven') payments.forgive(paymentId);
  };
}
