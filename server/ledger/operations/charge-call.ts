import { zeroAddress, zeroBytes32 } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { hashLeaf } from '../../../protocol/merkle/hashes.ts';
import type { CallReceipt } from '../../../protocol/receipt/call-receipt.ts';
import { encodeReceipt } from '../../../protocol/receipt/encode-receipt.ts';
import type { CallStore, StoredCall } from '../call-store.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { ChargeStore } from '../charge-store.ts';
import { AfterSeal, type GroupContext, type PendingCharge } from '../group-context.ts';
import type { ChannelState, ChargeRequest, ChargeResult } from '../ledger.ts';
import type { ModelDayStore } from '../model-day-store.ts';
import { settleBudget } from './hold-budget.ts';

interface Stores {
  channels: ChannelStore;
  calls: CallStore;
  charges: ChargeStore;
  modelDays: ModelDayStore;
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

function receiptOf(
  request: ChargeRequest,
  facts: { call: StoredCall; channel: ChannelState | null; amount: bigint; nowMs: number },
): CallReceipt {
  const { call, channel, amount, nowMs } = facts;
  return {
    ...request.receipt,
    version: 1,
    callId: call.callId,
    admittedAtMs: call.admittedAtMs,
    chargedAtMs: nowMs,
    payer: channel?.payer ?? zeroAddress,
    channelId: channel?.channelId ?? zeroBytes32,
    sequence: channel?.sequence ?? 0,
    runningTotal: channel?.charged ?? 0n,
    amount,
    refundOwed: 0n,
  };
}

function finishLater(context: GroupContext, index: number): AfterSeal<ChargeResult> {
  return new AfterSeal((receipts) => {
    const charge = context.charges[index];
    const signed = receipts[index];
    if (charge === undefined || signed === undefined) throw new RangeError('a charge is missing from its batch');
    return { receipt: charge.receipt, signed, channel: charge.channel };
  });
}

/**
 * Charges min(metered, reservation) and frees the rest, once by call id. A repeated charge returns the first one's
 * receipt byte for byte, and the channel as it is now.
 * @throws AutoPayError `internal_error` for a call that was never reserved or has been released (its answer must not be
 * given as paid), or whose receipt names another token than its channel, or another model than was reserved.
 */
export function createChargeCall(stores: Stores) {
  const { channels, calls, charges, modelDays } = stores;

  function repeat(callId: string, context: GroupContext): ChargeResult | AfterSeal<ChargeResult> {
    const index = context.charges.findIndex((charge) => charge.receipt.callId === callId);
    if (index !== -1) return finishLater(context, index);
    const stored = charges.find(callId);
    if (stored === undefined) throw new AutoPayError('internal_error', `The receipt of call ${callId} is missing.`);
    const { receipt, signed } = stored;
    return { receipt, signed, channel: receipt.sequence === 0 ? null : channels.get(receipt.channelId) };
  }

  return function chargeCall(request: ChargeRequest, context: GroupContext): ChargeResult | AfterSeal<ChargeResult> {
    const { callId, metered } = request;
    const call = calls.find(callId);
    if (call?.state === 'charged') return repeat(callId, context);
    if (call?.state !== 'reserved') {
      const what = call === undefined ? 'was never reserved' : 'was released before';
      throw new AutoPayError('internal_error', `Call ${callId} ${what}, so it cannot be charged. Call again.`);
    }
    if (metered < 0n) throw new AutoPayError('internal_error', `Call ${callId} was metered below zero.`);
    const amount = metered < call.quote ? metered : call.quote;
    const channel = call.channelId === null ? null : chargedChannel(channels.get(call.channelId), call.quote, amount);
    if (channel !== null && channel.token !== request.receipt.token.toLowerCase()) {
      throw new AutoPayError('internal_error', `Call ${callId} is priced in another token than its channel holds.`);
    }
    if (call.model !== request.receipt.modelAsked) {
      throw new AutoPayError('internal_error', `Call ${callId} was reserved for another model than it is charged for.`);
    }
    const receipt = receiptOf(request, { call, channel, amount, nowMs: context.nowMs });
    const entry = encodeReceipt(receipt);
    const { requestSalt, responseSalt } = request;
    const charge: PendingCharge = { receipt, entry, leafHash: hashLeaf(entry), requestSalt, responseSalt, channel };
    const index = context.charges.length;
    charges.insert(charge, { batchId: context.batchId, batchIndex: index });
    if (channel !== null) channels.updateBooks(channel);
    settleBudget(modelDays, call, amount);
    calls.end(callId, null, context.nowMs);
    calls.addAttempts(callId, request.attempts);
    context.charges.push(charge);
    return finishLater(context, index);
  };
}
