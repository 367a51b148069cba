import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { maxAmount } from '../amount-blob.ts';
import type { StoredCall } from '../call-store.ts';
import type { BudgetTerms, ModelSpending, ReserveRequest } from '../ledger.ts';
import type { ModelDay, ModelDayStore } from '../model-day-store.ts';
import { toAgpt } from '../to-agpt.ts';

const dayMs = 86_400_000;

/** The UTC day whose budget a call counts in: that of its admission. Its charge is booked to the same. */
function dayOf(admittedAtMs: number): number {
  return Math.floor(admittedAtMs / dayMs);
}

/**
 * What the model's day would hold with the quote of a call, or what stands against it. Nothing is written yet.
 * @throws AutoPayError `internal_error` if the budget is that of another day, or beyond what the chain can set.
 */
export function planBudget(
  modelDays: ModelDayStore,
  request: Pick<ReserveRequest, 'model' | 'quote' | 'admittedAtMs'> & { budget: BudgetTerms },
): { ok: true; after: ModelDay } | { ok: false; spending: ModelSpending } {
  const { model, admittedAtMs, budget } = request;
  if (budget.day !== dayOf(admittedAtMs)) {
    throw new AutoPayError(
      'internal_error',
      `A call of day ${dayOf(admittedAtMs)} cannot spend that of ${budget.day}.`,
    );
  }
  const isSane = [budget.limitAgpt, budget.rate].every((value) => value >= 0n && value <= maxAmount);
  if (!isSane) throw new AutoPayError('internal_error', `The budget of ${model} is beyond what the chain can set.`);
  const before = modelDays.get(model, budget.day);
  const quote = toAgpt(request.quote, budget.rate);
  // Sums stay at or below a limit of 128 bits, so they fit their columns.
  if (before.charged + before.reserved + quote > budget.limitAgpt) {
    return { ok: false, spending: { charged: before.charged, reserved: before.reserved, quote } };
  }
  return { ok: true, after: { ...before, reserved: before.reserved + quote } };
}

/**
 * Ends what a call holds of its model's budget: what it was charged counts, the rest is free again. By the rate at which it
 * was held, whatever holds now.
 * @throws AutoPayError `internal_error` if the day has less reserved than the call holds.
 */
export function settleBudget(modelDays: ModelDayStore, call: StoredCall, charged: bigint): void {
  if (call.budgetRate === null) return;
  const before = modelDays.get(call.model, dayOf(call.admittedAtMs));
  const held = toAgpt(call.quote, call.budgetRate);
  if (before.reserved < held) {
    throw new AutoPayError(
      'internal_error',
      `The budget of ${call.model} has less reserved than ${call.callId} holds.`,
    );
  }
  modelDays.put({
    ...before,
    charged: before.charged + toAgpt(charged, call.budgetRate),
    reserved: before.reserved - held,
  });
}
