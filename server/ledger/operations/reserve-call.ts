import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { maxAmount } from '../amount-blob.ts';
import type { CallStore } from '../call-store.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { ChannelState, ReserveRefusal, ReserveRequest, VerifiedVoucher } from '../ledger.ts';
import type { ModelDayStore } from '../model-day-store.ts';
import { planBudget } from './hold-budget.ts';

/** What the writer decided. */
export type ReserveDecision = { ok: true; channel: ChannelState | null } | { ok: false; refusal: ReserveRefusal };

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/**
 * Holds a quote against headroom: highest voucher (this one taken into account, never above the deposit) − charged −
 * reserved; and against what the model's budget of the day has left. One voucher admits one call, whatever becomes of the
 * call; a lower voucher that was not used may still admit one. A refusal changes nothing: the voucher is neither used up
 * nor counted as accepted, so that the same one may be presented again.
 * @throws AutoPayError `internal_error` if the call id is in use, a free call has a quote or a budget, a paid one has no
 * budget, or it is that of another day.
 */
export function createReserveCall(stores: { channels: ChannelStore; calls: CallStore; modelDays: ModelDayStore }) {
  const { channels, calls, modelDays } = stores;

  function refuse(
    code: ReserveRefusal['code'],
    channel: ChannelState | null,
    quote: bigint,
    more: Pick<ReserveRefusal, 'usedByCallId' | 'spending'> = {},
  ): ReserveDecision {
    const requiredCumulative =
      channel === null ? quote : larger(channel.charged + channel.reserved + quote, channel.acceptedCumulative + 1n);
    return { ok: false, refusal: { code, channel, requiredCumulative, ...more } };
  }

  function reserveOnChannel(request: ReserveRequest, voucher: VerifiedVoucher): ReserveDecision {
    const { quote } = request;
    const { budget } = request;
    if (budget === null) throw new AutoPayError('internal_error', 'A call that is paid for needs a budget.');
    const channelId = voucher.channelId.toLowerCase() as Hex;
    const channel = channels.find(channelId);
    if (channel === undefined) return refuse('channel_not_found', null, quote);
    // The charge would be refused for it, after the provider was paid.
    if (channel.token !== request.token.toLowerCase()) return refuse('channel_wrong_token', channel, quote);
    const usedBy =
      voucher.cumulativeAmount > maxAmount ? undefined : calls.findByVoucher(channelId, voucher.cumulativeAmount);
    if (usedBy !== undefined) return refuse('voucher_already_used', channel, quote, { usedByCallId: usedBy });
    if (channel.finalized) return refuse('channel_finalized', channel, quote);
    if (channel.closeRequestedAt !== 0) return refuse('channel_closing', channel, quote);
    // More was settled than these books charged: they are not the books of this channel (lost, or restored from a
    // backup). Charges up to there could never be collected, and sequence numbers would be given twice.
    if (channel.settled > channel.charged) return refuse('channel_out_of_books', channel, quote);
    if (voucher.cumulativeAmount > channel.deposit) return refuse('amount_exceeds_deposit', channel, quote);

    const isHighest = voucher.cumulativeAmount > channel.acceptedCumulative;
    const accepted = larger(channel.acceptedCumulative, voucher.cumulativeAmount);
    const headroom = smaller(accepted, channel.deposit) - channel.charged - channel.reserved;
    if (headroom < quote) return refuse('insufficient_headroom', channel, quote);
    // Last: a payer hears of the budget only where nothing that it can mend stands in the way.
    const held = planBudget(modelDays, { ...request, budget });
    if (!held.ok) return refuse('model_budget_exceeded', channel, quote, { spending: held.spending });

    const after: ChannelState = {
      ...channel,
      acceptedCumulative: accepted,
      acceptedSignature: isHighest ? voucher.signature : channel.acceptedSignature,
      reserved: channel.reserved + quote,
    };
    calls.insert({ ...request, voucher: { ...voucher, channelId } });
    channels.updateBooks(after);
    modelDays.put(held.after);
    return { ok: true, channel: after };
  }

  return function reserveCall(request: ReserveRequest): ReserveDecision {
    if (request.quote < 0n || request.quote > maxAmount) {
      throw new AutoPayError('internal_error', `A quote must lie in 0 … 2^128 − 1, not ${request.quote}.`);
    }
    if (calls.find(request.callId) !== undefined) {
      throw new AutoPayError('internal_error', `Call ${request.callId} has a reservation already.`);
    }
    if (request.voucher !== null) return reserveOnChannel(request, request.voucher);
    if (request.quote !== 0n || request.budget !== null) {
      throw new AutoPayError('internal_error', 'A call that nobody pays for has the quote 0, and no budget.');
    }
    calls.insert(request);
    return { ok: true, channel: null };
  };
}
