import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { CallStore, StoredCall } from '../call-store.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { ChannelState, ReleaseRequest } from '../ledger.ts';
import type { ModelDayStore } from '../model-day-store.ts';
import { settleBudget } from './hold-budget.ts';

/**
 * Gives the quote of an open reservation back to its channel and its model's budget; the channel after it, or null if the
 * call has none.
 */
export function freeReservation(
  call: StoredCall,
  options: { channels: ChannelStore; calls: CallStore; modelDays: ModelDayStore; reason: string; nowMs: number },
): ChannelState | null {
  const { channels, calls, modelDays, reason, nowMs } = options;
  let after: ChannelState | null = null;
  if (call.channelId !== null) {
    const channel = channels.get(call.channelId);
    if (channel.reserved < call.quote) {
      throw new AutoPayError(
        'internal_error',
        `Channel ${call.channelId} has less reserved than call ${call.callId} holds.`,
      );
    }
    after = { ...channel, reserved: channel.reserved - call.quote };
    channels.updateBooks(after);
  }
  settleBudget(modelDays, call, 0n);
  calls.end(call.callId, reason, nowMs);
  return after;
}

/**
 * Frees a reservation and records how its call went. No effect on a call that has ended, or that never was reserved
 * (its transaction failed): nothing is held for it.
 * @returns the channel after it; null if nothing was freed, or there is none.
 */
export function createReleaseCall(stores: { channels: ChannelStore; calls: CallStore; modelDays: ModelDayStore }) {
  return function releaseCall(
    { callId, reason, attempts }: ReleaseRequest,
    context: { nowMs: number },
  ): ChannelState | null {
    const call = stores.calls.find(callId);
    if (call?.state !== 'reserved') return null;
    const channel = freeReservation(call, { ...stores, reason, nowMs: context.nowMs });
    stores.calls.addAttempts(callId, attempts);
    return channel;
  };
}
