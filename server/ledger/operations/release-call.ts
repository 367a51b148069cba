import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { CallStore, StoredCall } from '../call-store.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { ChannelState, ReleaseRequest } from '../ledger.ts';
import type { ModelDayStore } from '../model-day-store.ts';
import type { PaymentStore } from '../payment-store.ts';
import type { ScopeStore } from '../scope-store.ts';
import { settleBudget } from './hold-budget.ts';
import { settleScopes } from './hold-scopes.ts';

/** What a reservation may be held against. */
export interface ReservationStores {
  channels: ChannelStore;
  calls: CallStore;
  payments: PaymentStore;
  scopes: ScopeStore;
  modelDays: ModelDayStore;
}

function freeChannel(channels: ChannelStore, channelId: Hex, call: StoredCall): ChannelState {
  const channel = channels.get(channelId);
  if (channel.reserved < call.quote) {
    throw new AutoPayError('internal_error', `Channel ${channelId} has less reserved than call ${call.callId} holds.`);
  }
  const after = { ...channel, reserved: channel.reserved - call.quote };
  channels.updateBooks(after);
  return after;
}

/**
 * Gives the quote of an open reservation back to what it is held against. A direct payment is free again: the same payload
 * may be tried once more. So is the idempotency key of the call, which stands for no released one.
 * @returns the channel after it, or null if the call has none.
 */
export function freeReservation(
  call: StoredCall,
  options: ReservationStores & Omit<ReleaseRequest, 'callId'> & { nowMs: number },
): ChannelState | null {
  const { channels, calls, payments, scopes, modelDays, reason, attempts, nowMs } = options;
  const channel = call.channelId === null ? null : freeChannel(channels, call.channelId, call);
  if (call.paymentId !== null) payments.release(call.paymentId);
  const token = channel?.token ?? (call.paymentId === null ? null : payments.get(call.paymentId).token);
  if (token !== null) settleScopes(scopes, { call, token, charged: 0n });
  settleBudget(modelDays, call, 0n);
  calls.end(call.callId, { reason, attempts, endedAtMs: nowMs });
  return channel;
}

/**
 * Frees a reservation and records how its call went. No effect on a call that has ended, or that never was reserved
 * (its transaction failed): nothing is held for it.
 * @returns the channel after it; null if nothing was freed, or there is none.
 */
export function createReleaseCall(stores: ReservationStores) {
  return function releaseCall(
    { callId, reason, attempts }: ReleaseRequest,
    context: { nowMs: number },
  ): ChannelState | null {
    const call = stores.calls.find(callId);
    if (call?.state !== 'reserved') return null;
    return freeReservation(call, { ...stores, reason, attempts, nowMs: context.nowMs });
  };
}
