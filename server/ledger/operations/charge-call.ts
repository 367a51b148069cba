import { zeroAddress, zeroBytes32, type Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { hashLeaf } from '../../../protocol/merkle/hashes.ts';
import type { CallReceipt } from '../../../protocol/receipt/call-receipt.ts';
import { encodeReceipt } from '../../../protocol/receipt/encode-receipt.ts';
import type { AnswerStore } from '../answer-store.ts';
import type { StoredPayment } from '../background-ledger.ts';
import type { CallStore, StoredCall } from '../call-store.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { ChargeStore } from '../charge-store.ts';
import { placeInBatch, type AfterSeal, type GroupContext, type PendingCharge } from '../group-context.ts';
import type { ChannelState, ChargeRequest, ChargeResult } from '../ledger.ts';
import type { EvidenceStore } from '../evidence-store.ts';
import type { ModelDayStore } from '../model-day-store.ts';
import type { PaymentStore } from '../payment-store.ts';
import type { ScopeStore } from '../scope-store.ts';
import { settleBudget } from './hold-budget.ts';
import { settleScopes } from './hold-scopes.ts';
import { createReadCharge, finishLater } from './read-charge.ts';

interface Stores {
  chainId: number;
  channels: ChannelStore;
  calls: CallStore;
  charges: ChargeStore;
  payments: PaymentStore;
  scopes: ScopeStore;
  answers: AnswerStore;
  evidence: EvidenceStore;
  modelDays: ModelDayStore;
}

/** What a charge does to what pays for it; all null on a free route. */
interface ChargedFunds {
  channel: ChannelState | null;
  payment: ChargeResult['payment'];
  payer: Hex | null;
  token: Hex | null;
}

/** The channel after the charge: the whole reservation is freed, the amount is charged. */
function chargedChannel(channel: ChannelState, quote: bigint, amount: bigint): ChannelState {
  if (channel.reserved < quote) {
    throw new AutoPayError('internal_error', `Channel ${channel.channelId} has less reserved than one call holds.`);
  }
  return {
    ...channel,
    charged: channel.charged + amount,
    reserved: channel.reserved - quote,
    sequence: channel.sequence + 1,
  };
}

/** Of a fixed amount all of it is taken, of the others the charge; for nothing, nothing. */
function capturedOf({ kind, maximum }: StoredPayment, amount: bigint): bigint {
  if (amount === 0n) return 0n;
  return kind === 'eip3009' || kind === 'permit2-exact' ? maximum : amount;
}

function receiptOf(
  request: ChargeRequest,
  facts: { call: StoredCall; funds: ChargedFunds; amount: bigint; nowMs: number },
): CallReceipt {
  const { call, funds, amount, nowMs } = facts;
  const { channel, payment } = funds;
  return {
    ...request.receipt,
    version: 1,
    callId: call.callId,
    admittedAtMs: call.admittedAtMs,
    chargedAtMs: nowMs,
    payer: funds.payer ?? zeroAddress,
    channelId: channel?.channelId ?? zeroBytes32,
    sequence: channel?.sequence ?? 0,
    runningTotal: channel?.charged ?? 0n,
    amount,
    refundOwed: payment === null ? 0n : payment.captured - amount,
  };
}

/**
 * Charges min(metered, reservation) and frees the rest, once by call id; a direct payment becomes due, and the answer is
 * kept for repetitions. A repeated charge returns the first one's receipt byte for byte, and the channel as it is now.
 * @throws AutoPayError `internal_error` for a call that was never reserved or has been released (its answer must not be
 * given as paid), or whose receipt names another token than what pays for it, or another model than was reserved.
 */
export function createChargeCall(stores: Stores) {
  const { channels, calls, charges, payments, scopes, answers, evidence, modelDays } = stores;
  const readCharge = createReadCharge(stores);

  function chargeFunds({ channelId, paymentId, quote }: StoredCall, amount: bigint): ChargedFunds {
    if (channelId !== null) {
      const channel = chargedChannel(channels.get(channelId), quote, amount);
      return { channel, payment: null, payer: channel.payer, token: channel.token };
    }
    if (paymentId === null) return { channel: null, payment: null, payer: null, token: null };
    const payment = payments.get(paymentId);
    const { payer, token } = payment;
    return { channel: null, payment: { paymentId, captured: capturedOf(payment, amount) }, payer, token };
  }

  function plan(request: ChargeRequest, call: StoredCall) {
    const { callId, metered, receipt } = request;
    if (metered < 0n) throw new AutoPayError('internal_error', `Call ${callId} was metered below zero.`);
    const amount = metered < call.quote ? metered : call.quote;
    const funds = chargeFunds(call, amount);
    if (funds.token !== null && funds.token !== receipt.token.toLowerCase()) {
      throw new AutoPayError('internal_error', `Call ${callId} is priced in another token than what pays for it.`);
    }
    if (call.model !== receipt.modelAsked) {
      throw new AutoPayError('internal_error', `Call ${callId} was reserved for another model than it is charged for.`);
    }
    return { amount, funds };
  }

  return function chargeCall(request: ChargeRequest, context: GroupContext): ChargeResult | AfterSeal<ChargeResult> {
    const { callId, requestSalt, responseSalt, answer } = request;
    const call = calls.find(callId);
    if (call?.state === 'charged') return readCharge(call, context);
    if (call?.state !== 'reserved') {
      const what = call === undefined ? 'was never reserved' : 'was released before';
      throw new AutoPayError('internal_error', `Call ${callId} ${what}, so it cannot be charged. Call again.`);
    }
    const { nowMs } = context;
    const { amount, funds } = plan(request, call);
    const { channel, payment, token } = funds;
    const receipt = receiptOf(request, { call, funds, amount, nowMs });
    const entry = encodeReceipt(receipt);
    const sealed = { receipt, entry, leafHash: hashLeaf(entry), requestSalt, responseSalt };
    const charge: PendingCharge = { ...sealed, chainId: stores.chainId, channel, payment, keyId: call.keyId };
    charges.insert(charge, placeInBatch(context, stores.chainId));
    if (channel !== null) channels.updateBooks(channel);
    if (payment !== null)
      payments.charge(payment.paymentId, { charge: amount, captured: payment.captured, chargedAtMs: nowMs });
    if (token !== null) settleScopes(scopes, { call, token, charged: amount });
    settleBudget(modelDays, call, amount);
    calls.end(callId, { reason: null, attempts: request.attempts, endedAtMs: nowMs });
    if (answer !== null && call.answerUntilMs !== null)
      answers.insert(callId, { ...answer, untilMs: call.answerUntilMs });
    if (request.evidence) evidence.insert(callId, request.evidence);
    context.charges.push(charge);
    return finishLater(context, context.charges.length - 1);
  };
}
