import type { CallStore } from '../call-store.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { ModelDayStore } from '../model-day-store.ts';
import { freeReservation } from './release-call.ts';

/** The most reservations that one sweep frees; the rest wait for the next. */
export const maxSweep = 10_000;

/** Frees reservations whose lease ended before `leaseBeforeMs`, as `crashed`, at most `maxSweep`, and says how many. */
export function createSweepReservations(stores: {
  channels: ChannelStore;
  calls: CallStore;
  modelDays: ModelDayStore;
}) {
  return function sweepReservations(options: { leaseBeforeMs: number; nowMs: number }): number {
    const lapsed = stores.calls.listLapsed(options.leaseBeforeMs, maxSweep);
    for (const call of lapsed) freeReservation(call, { ...stores, reason: 'crashed', nowMs: options.nowMs });
    return lapsed.length;
  };
}
