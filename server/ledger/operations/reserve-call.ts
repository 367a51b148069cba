import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { maxAmount } from '../amount-blob.ts';
import { answersKeptMs, type Funds, type ReserveRequest } from '../ledger.ts';
import type { ModelDayStore } from '../model-day-store.ts';
import type { ScopeStore } from '../scope-store.ts';
import { refuseRepeat } from './check-idempotency.ts';
import { planBudget } from './hold-budget.ts';
import { createPlanChannel, type ChannelFundsStores } from './hold-channel.ts';
import { refuse, type FundsPlan, type ReserveDecision } from './hold-funds.ts';
import { createPlanPayment } from './hold-payment.ts';
import { planScopes } from './hold-scopes.ts';

interface Stores extends ChannelFundsStores {
  scopes: ScopeStore;
  modelDays: ModelDayStore;
}

/** Ids come as the client wrote them; the books compare them in lower case. */
function normalize(request: ReserveRequest): ReserveRequest {
  const { funds } = request;
  if (funds === null || funds.kind === 'direct') return request;
  if (funds.kind === 'key') return { ...request, funds: { ...funds, channelId: funds.channelId.toLowerCase() as Hex } };
  const channelId = funds.voucher.channelId.toLowerCase() as Hex;
  return { ...request, funds: { ...funds, voucher: { ...funds.voucher, channelId } } };
}

/**
 * Holds a quote against what pays for it, the scopes, and what the model's budget of the day has left, after a look at the
 * idempotency key: a repetition uses nothing up. All or nothing: a refusal changes nothing, so that the same payment may be
 * presented again.
 * @throws AutoPayError `internal_error` if the call id is in use, a free call has a quote, a budget or scopes, a paid one has
 * no budget or that of another day, or what pays is malformed.
 */
export function createReserveCall(stores: Stores) {
  const { calls, answers, scopes, modelDays } = stores;
  const planChannel = createPlanChannel(stores);
  const planPayment = createPlanPayment(stores);

  function planFunds(request: ReserveRequest, funds: Funds): FundsPlan {
    return funds.kind === 'direct' ? planPayment(request, funds.payment) : planChannel(request, funds);
  }

  function keepKey({ callId, idempotency, admittedAtMs }: ReserveRequest): void {
    if (idempotency !== null) answers.putCall(idempotency, { callId, untilMs: admittedAtMs + answersKeptMs });
  }

  function reserveOn(request: ReserveRequest, funds: Funds): ReserveDecision {
    const { budget, quote } = request;
    if (budget === null) throw new AutoPayError('internal_error', 'A call that is paid for needs a budget.');
    const plan = planFunds(request, funds);
    if (!plan.ok) return plan;
    const channel = plan.channel && plan.channel.before;
    const scoped = planScopes(scopes, { scopes: request.scopes, quote, token: plan.token });
    if (!scoped.ok) return refuse('scope_exceeded', { channel, request }, { scope: scoped.scope });
    // Last: a payer hears of the budget only where nothing that it can mend stands in the way.
    const held = planBudget(modelDays, { ...request, budget });
    if (!held.ok) return refuse('model_budget_exceeded', { channel, request }, { spending: held.spending });
    plan.write();
    calls.insert(request);
    for (const scope of scoped.after) scopes.put(scope);
    modelDays.put(held.after);
    keepKey(request);
    return { ok: true, channel: plan.channel && plan.channel.after };
  }

  return function reserveCall(given: ReserveRequest): ReserveDecision {
    const request = normalize(given);
    const { quote, funds } = request;
    if (quote < 0n || quote > maxAmount) {
      throw new AutoPayError('internal_error', `A quote must lie in 0 … 2^128 − 1, not ${quote}.`);
    }
    const repeated = refuseRepeat(stores, request);
    if (repeated !== undefined) return repeated;
    if (funds !== null) return reserveOn(request, funds);
    if (quote !== 0n || request.budget !== null || request.scopes.length > 0) {
      throw new AutoPayError('internal_error', 'A call that nobody pays for has the quote 0, no budget and no scopes.');
    }
    calls.insert(request);
    keepKey(request);
    return { ok: true, channel: null };
  };
}
