import type { AnswerStore } from '../answer-store.ts';
import { freeReservation, type ReservationStores } from './release-call.ts';

/** The most reservations that one sweep frees; the rest wait for the next. */
export const maxSweep = 10_000;
/** The most answers that are forgotten at a time: they can be large, and deleting them must not hold up the calls. */
const maxForgotten = 50;

/** Frees reservations whose lease ended before `leaseBeforeMs`, as `crashed`, at most `maxSweep`, and says how many. */
export function createSweepReservations(stores: ReservationStores) {
  return function sweepReservations(options: { leaseBeforeMs: number; nowMs: number }): number {
    const lapsed = stores.calls.listLapsed(options.leaseBeforeMs, maxSweep);
    for (const call of lapsed)
      freeReservation(call, { ...stores, reason: 'crashed', attempts: [], nowMs: options.nowMs });
    return lapsed.length;
  };
}

/**
 * Forgets idempotency keys and answers that were kept long enough, and the oldest answers where they are too many bytes; at most
 * `maxForgotten` of each. Says how many.
 */
export function createForgetAnswers({ answers }: { answers: AnswerStore }) {
  return function forgetAnswers(nowMs: number): number {
    return answers.forget(nowMs, maxForgotten);
  };
}
