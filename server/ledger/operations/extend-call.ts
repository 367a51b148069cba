import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { CallStore, StoredCall } from '../call-store.ts';
import type { ExtendOutcome, ExtendRequest } from '../channel-ledger.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { ModelDayStore } from '../model-day-store.ts';
import type { ScopeStore } from '../scope-store.ts';
import { toAgpt } from '../to-agpt.ts';
import { refuse } from './hold-funds.ts';
import { planScopes } from './hold-scopes.ts';

interface Stores {
  calls: CallStore;
  channels: ChannelStore;
  modelDays: ModelDayStore;
  scopes: ScopeStore;
}

/**
 * Raises what a call on a channel holds, against what is signed by now, its scopes and the model's budget of its day: all or
 * nothing. A call that holds as much already keeps what it holds.
 * @throws AutoPayError `internal_error` for a call that has ended, or is charged to no channel, or holds of other scopes.
 */
export function createExtendCall({ calls, channels, modelDays, scopes }: Stores) {
  function find({ callId, scopes: given }: Pick<ExtendRequest, 'callId' | 'scopes'>) {
    const call = calls.find(callId);
    const isOf = ({ id, window }: StoredCall['scopes'][number], at: number) =>
      given[at]?.id === id && given[at].window === window;
    const isSame = call?.scopes.length === given.length && call.scopes.every(isOf);
    if (call?.state === 'reserved' && call.channelId !== null && isSame) {
      return { ...call, channelId: call.channelId };
    }
    throw new AutoPayError('internal_error', `Call ${callId} holds nothing of a channel that could be raised.`);
  }

  return function extendCall(request: ExtendRequest): ExtendOutcome {
    const { callId, quote, budget } = request;
    const call = find(request);
    if (quote <= call.quote) return { ok: true };
    const channel = channels.get(call.channelId);
    const more = quote - call.quote;
    const asked = { channel, request: { quote: more } };
    if (channel.finalized) return refuse('channel_finalized', asked);
    const after = { ...channel, reserved: channel.reserved + more };
    const most = channel.acceptedCumulative < channel.deposit ? channel.acceptedCumulative : channel.deposit;
    if (after.charged + after.reserved > most) return refuse('insufficient_headroom', asked);
    const scoped = planScopes(scopes, { scopes: request.scopes, quote: more, token: channel.token });
    if (!scoped.ok) return refuse('scope_exceeded', asked, { scope: scoped.scope });

    const day = modelDays.get(call.model, budget.day);
    // By the rate at which it was held, as it will be freed.
    const rate = call.budgetRate ?? budget.rate;
    const held = toAgpt(quote, rate) - toAgpt(call.quote, rate);
    if (day.charged + day.reserved + held > budget.limitAgpt) {
      const spending = { charged: day.charged, reserved: day.reserved, quote: held };
      return refuse('model_budget_exceeded', asked, { spending });
    }
    channels.updateBooks(after);
    for (const scope of scoped.after) scopes.put(scope);
    modelDays.put({ ...day, reserved: day.reserved + held });
    calls.raise(callId, quote);
    return { ok: true };
  };
}
