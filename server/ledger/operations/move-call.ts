import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { CallStore } from '../call-store.ts';
import type { MoveOutcome, MoveRequest } from '../ledger.ts';
import type { ModelDayStore } from '../model-day-store.ts';
import { planBudget, settleBudget } from './hold-budget.ts';

interface Stores {
  calls: CallStore;
  modelDays: ModelDayStore;
}

/**
 * Moves what a call holds of its model's budget to another model's: all of its quote counts there, as it did here, or nothing
 * changes. Charges, receipts and bookings then go by the other model.
 * @throws AutoPayError `internal_error` for a call that is not reserved, or has a budget where it pays nothing, or none where it pays.
 */
export function createMoveCall({ calls, modelDays }: Stores) {
  return function moveCall({ callId, model, budget }: MoveRequest): MoveOutcome {
    const call = calls.find(callId);
    if (call?.state !== 'reserved' || (call.budgetRate === null) !== (budget === null)) {
      throw new AutoPayError('internal_error', `Call ${callId} holds nothing of a budget that could be moved.`);
    }
    if (call.model === model) return { ok: true };
    if (budget === null) {
      calls.move(callId, { model, budgetRate: null });
      return { ok: true };
    }
    const held = planBudget(modelDays, { model, quote: call.quote, admittedAtMs: call.admittedAtMs, budget });
    if (!held.ok) return held;
    settleBudget(modelDays, call, 0n);
    modelDays.put(held.after);
    calls.move(callId, { model, budgetRate: budget.rate });
    return { ok: true };
  };
}
