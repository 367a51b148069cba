import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { encodeSignedReceipt } from '../../../protocol/receipt/signed-receipt.ts';
import type { AnswerStore } from '../answer-store.ts';
import type { CallStore, StoredCall } from '../call-store.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { ChargeStore } from '../charge-store.ts';
import { AfterSeal, type GroupContext } from '../group-context.ts';
import type { CallAnswer, ChargeResult } from '../ledger.ts';
import type { PaymentStore } from '../payment-store.ts';

interface Stores {
  channels: ChannelStore;
  charges: ChargeStore;
  payments: PaymentStore;
}

/** The result of a charge of this group, once its receipts are signed. */
export function finishLater(context: GroupContext, index: number): AfterSeal<ChargeResult> {
  return new AfterSeal((receipts) => {
    const charge = context.charges[index];
    const signed = receipts[index];
    if (charge === undefined || signed === undefined) throw new RangeError('a charge is missing from its batch');
    const { channel, payment, receipt } = charge;
    return { receipt, signedReceipt: encodeSignedReceipt(signed), channel, payment };
  });
}

/**
 * Reads what a charged call was charged: the receipt as it was given, the channel as it is now.
 * @throws AutoPayError `internal_error` if the books have no receipt of it.
 */
export function createReadCharge({ channels, charges, payments }: Stores) {
  return function readCharge(call: StoredCall, context: GroupContext): ChargeResult | AfterSeal<ChargeResult> {
    const { callId, channelId, paymentId } = call;
    const index = context.charges.findIndex((charge) => charge.receipt.callId === callId);
    if (index !== -1) return finishLater(context, index);
    const stored = charges.find(callId);
    if (stored === undefined) throw new AutoPayError('internal_error', `The receipt of call ${callId} is missing.`);
    const payment = paymentId === null ? null : { paymentId, captured: payments.get(paymentId).captured };
    const { receipt, signed } = stored;
    const channel = channelId === null ? null : channels.get(channelId);
    return { receipt, signedReceipt: encodeSignedReceipt(signed), channel, payment };
  };
}

/** Reads what a repetition of a call's request is answered with; undefined if the call was never reserved. */
export function createFindAnswer(stores: Stores & { calls: CallStore; answers: AnswerStore }) {
  const readCharge = createReadCharge(stores);
  return function findAnswer(callId: string, context: GroupContext): CallAnswer | undefined | AfterSeal<CallAnswer> {
    const call = stores.calls.find(callId);
    if (call === undefined) return undefined;
    const { state } = call;
    if (state !== 'charged') return { state, answer: null, result: null };
    const answer = stores.answers.find(callId) ?? null;
    const result = readCharge(call, context);
    if (!(result instanceof AfterSeal)) return { state, answer, result };
    return new AfterSeal((receipts) => ({ state, answer, result: result.finish(receipts) }));
  };
}
