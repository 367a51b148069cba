import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { CallStore, StoredCall } from '../call-store.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { ReleaseRequest } from '../ledger.ts';

/** Gives the quote of an open reservation back to its channel. */
export function freeReservation(
  call: StoredCall,
  options: { channels: ChannelStore; calls: CallStore; reason: string; nowMs: number },
): void {
  const { channels, calls, reason, nowMs } = options;
  if (call.channelId !== null) {
    const channel = channels.get(call.channelId);
    if (channel.reserved < call.quote) {
      throw new AutoPayError(
        'internal_error',
        `Channel ${call.channelId} has less reserved than call ${call.callId} holds.`,
      );
    }
    channels.updateBooks({ ...channel, reserved: channel.reserved - call.quote });
  }
  calls.end(call.callId, reason, nowMs);
}

/**
 * Frees a reservation and records how its call went. No effect on a call that has ended, or that never was reserved
 * (its transaction failed): nothing is held for it.
 */
export function createReleaseCall(stores: { channels: ChannelStore; calls: CallStore }) {
  return function releaseCall({ callId, reason, attempts }: ReleaseRequest, context: { nowMs: number }): void {
    const call = stores.calls.find(callId);
    if (call?.state !== 'reserved') return;
    freeReservation(call, { ...stores, reason, nowMs: context.nowMs });
    stores.calls.addAttempts(callId, attempts);
  };
}
