import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { nextVoucherAmount } from '../../../protocol/mpp/next-voucher.ts';
import type { PurchaseChannelStore } from '../purchase-channel-store.ts';
import type { PurchaseDecision, PurchaseRefusal, PurchaseRequest } from '../purchase-ledger.ts';
import type { PurchaseStore } from '../purchase-store.ts';

/** The tables of what the relay buys. */
export interface PurchaseStores {
  purchases: PurchaseStore;
  purchaseChannels: PurchaseChannelStore;
}

const dayMs = 86_400_000;

/**
 * Gives leave to pay a seller once for one attempt, within the limits of the call and the day, and the channel's deposit. What a voucher
 * may then say is decided here, because only here attempts and calls that run at the same time see each other.
 */
export function createOpenPurchase({ purchases, purchaseChannels }: PurchaseStores) {
  return function openPurchase(request: PurchaseRequest): PurchaseDecision {
    const { callId, attempt, provider, chainId, token, payer, maximum, authority } = request;
    const refuse = (reason: PurchaseRefusal): PurchaseDecision => ({ ok: false, reason });
    if (purchases.isAttemptPaid(callId, attempt)) return refuse('attempt_paid');
    if (
      authority.kind === 'authorization' &&
      purchases.isNonceUsed({ chainId, token, payer, nonce: authority.nonce })
    ) {
      return refuse('nonce_used');
    }
    // A seller that takes a payment and then fails is asked again, by repetitions and other deployments: the limit is the call's.
    if (purchases.spentOnCall(callId, provider) + maximum > request.maxPerCall) return refuse('call_limit');
    const day = { provider, chainId, token, day: Math.floor(request.nowMs / dayMs) };
    const spent = purchases.spentOn(day) + maximum;
    if (spent > request.maxPerDay) return refuse('day_limit');
    let cumulative: bigint | null = null;
    if (authority.kind === 'channel') {
      const channel = purchaseChannels.find(authority.channelId);
      if (channel === undefined || channel.deposit === 0n) return refuse('no_channel');
      if (channel.stopped !== null) return refuse('stopped');
      cumulative = nextVoucherAmount({ ...channel, newest: channel.signed }, maximum);
      if (cumulative > channel.deposit) return refuse('deposit_low');
      purchaseChannels.put({ ...channel, signed: cumulative, reserved: channel.reserved + maximum });
    }
    purchases.putSpent(day, spent);
    return { ok: true, purchaseId: purchases.insert(request, { day: day.day, cumulative }), cumulative };
  };
}

/** @throws AutoPayError `internal_error` if there is none */
export function requirePurchase(purchases: PurchaseStore, purchaseId: number) {
  const purchase = purchases.find(purchaseId);
  if (purchase === undefined) throw new AutoPayError('internal_error', `There is no purchase ${purchaseId}.`);
  return purchase;
}
