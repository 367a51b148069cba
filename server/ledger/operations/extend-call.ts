import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { CallStore, StoredCall } from '../call-store.ts';
import type { ExtendOutcome, ExtendRequest } from '../channel-ledger.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { ModelDayStore } from '../model-day-store.ts';
import { toAgpt } from '../to-agpt.ts';
import { refuse } from './hold-funds.ts';

interface Stores {
  calls: CallStore;
  channels: ChannelStore;
  modelDays: ModelDayStore;
}

/**
 * Raises what a call on a channel holds, against what is signed by now and the model's budget of its day: both or neither. A call
 * that holds as much already keeps what it holds.
 * @throws AutoPayError `internal_error` for a call that has ended, or is charged to anything but a channel alone.
 */
export function createExtendCall({ calls, channels, modelDays }: Stores) {
  function find(callId: string): StoredCall & { channelId: NonNullable<StoredCall['channelId']> } {
    const call = calls.find(callId);
    if (call?.state === 'reserved' && call.channelId !== null && call.scopes.length === 0) {
      return { ...call, channelId: call.channelId };
    }
    throw new AutoPayError('internal_error', `Call ${callId} holds nothing of a channel that could be raised.`);
  }

  return function extendCall({ callId, quote, budget }: ExtendRequest): ExtendOutcome {
    const call = find(callId);
    if (quote <= call.quote) return { ok: true };
    const channel = channels.get(call.channelId);
    const more = quote - call.quote;
    const asked = { channel, request: { quote: more } };
    if (channel.finalized) return refuse('channel_finalized', asked);
    const after = { ...channel, reserved: channel.reserved + more };
    const most = channel.acceptedCumulative < channel.deposit ? channel.acceptedCumulative : channel.deposit;
    if (after.charged + after.reserved > most) return refuse('insufficient_headroom', asked);

    const day = modelDays.get(call.model, budget.day);
    // By the rate at which it was held, as it will be freed.
    const rate = call.budgetRate ?? budget.rate;
    const held = toAgpt(quote, rate) - toAgpt(call.quote, rate);
    if (day.charged + day.reserved + held > budget.limitAgpt) {
      const spending = { charged: day.charged, reserved: day.reserved, quote: held };
      return refuse('model_budget_exceeded', asked, { spending });
    }
    channels.updateBooks(after);
    modelDays.put({ ...day, reserved: day.reserved + held });
    calls.raise(callId, quote);
    return { ok: true };
  };
}
