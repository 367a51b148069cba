import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { maxAmount } from '../amount-blob.ts';
import type { CallStore } from '../call-store.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { ChannelState, ReserveRefusal, ReserveRequest, VerifiedVoucher } from '../ledger.ts';

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
 * reserved. One voucher admits one call, whatever becomes of the call; a lower voucher that was not used may still
 * admit one. A refusal changes nothing: the voucher is neither used up nor counted as accepted, so that the same one
 * may be presented again.
 * @throws AutoPayError `internal_error` if the call id is in use, or a free call has a quote.
 */
export function createReserveCall(stores: { channels: ChannelStore; calls: CallStore }) {
  const { channels, calls } = stores;

  function refuse(
    code: ReserveRefusal['code'],
    channel: ChannelState | null,
    quote: bigint,
    usedByCallId?: string,
  ): ReserveDecision {
    const requiredCumulative =
      channel === null ? quote : larger(channel.charged + channel.reserved + quote, channel.acceptedCumulative + 1n);
    const refusal: ReserveRefusal = { code, channel, requiredCumulative };
    return { ok: false, refusal: usedByCallId === undefined ? refusal : { ...refusal, usedByCallId } };
  }

  function reserveOnChannel(request: ReserveRequest, voucher: VerifiedVoucher): ReserveDecision {
    const { quote } = request;
    const channelId = voucher.channelId.toLowerCase() as Hex;
    const channel = channels.find(channelId);
    if (channel === undefined) return refuse('channel_not_found', null, quote);
    // The charge would be refused for it, after the provider was paid.
    if (channel.token !== request.token.toLowerCase()) return refuse('channel_wrong_token', channel, quote);
    const usedBy =
      voucher.cumulativeAmount > maxAmount ? undefined : calls.findByVoucher(channelId, voucher.cumulativeAmount);
    if (usedBy !== undefined) return refuse('voucher_already_used', channel, quote, usedBy);
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

    const after: ChannelState = {
      ...channel,
      acceptedCumulative: accepted,
      acceptedSignature: isHighest ? voucher.signature : channel.acceptedSignature,
      reserved: channel.reserved + quote,
    };
    calls.insert({ ...request, voucher: { ...voucher, channelId } });
    channels.updateBooks(after);
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
    if (request.quote !== 0n) throw new AutoPayError('internal_error', 'A call that nobody pays for has the quote 0.');
    calls.insert(request);
    return { ok: true, channel: null };
  };
}
