import type { Hex } from '../../../protocol/bytes/hex.ts';
import { maxAmount } from '../amount-blob.ts';
import type { AnswerStore } from '../answer-store.ts';
import type { CallStore } from '../call-store.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { CollectionStore } from '../collection-store.ts';
import type { ChannelState, Funds, ReserveRefusal, ReserveRequest, VerifiedVoucher } from '../ledger.ts';
import type { PaymentStore } from '../payment-store.ts';
import { retriedUntilSeconds } from '../retried-until.ts';
import { refuse, type FundsPlan, type Refused } from './hold-funds.ts';

/** What decides about a reservation on a channel. */
export interface ChannelFundsStores {
  channels: ChannelStore;
  calls: CallStore;
  answers: AnswerStore;
  payments: PaymentStore;
  collections: Pick<CollectionStore, 'isPublished'>;
}

/** Why nothing can be charged to a channel, whatever was signed; undefined if something can. */
function faultOf(channel: ChannelState): ReserveRefusal['code'] | undefined {
  if (channel.finalized) return 'channel_finalized';
  if (channel.closeRequestedAt !== 0) return 'channel_closing';
  // More was settled than these books charged: they are not the books of this channel (lost, or restored from a
  // backup). Charges up to there could never be collected, and sequence numbers would be given twice.
  return channel.settled > channel.charged ? 'channel_out_of_books' : undefined;
}

/**
 * Plans a reservation on a channel. A voucher admits one call; where that was released, the same request (by its idempotency
 * key and body) may take its place, so that nobody has to sign twice. One that came without a call may admit one until a
 * collection puts it on the chain. A key spends what was signed before.
 */
export function createPlanChannel({ channels, calls, answers, payments, collections }: ChannelFundsStores) {
  /** The released call whose voucher this request may use again; or the call that has used it up. */
  function judgeVoucher(request: ReserveRequest, voucher: VerifiedVoucher) {
    const { channelId, cumulativeAmount } = voucher;
    const usedBy = cumulativeAmount > maxAmount ? undefined : calls.findByVoucher(channelId, cumulativeAmount);
    if (usedBy?.state !== 'released' || request.idempotency === null) return { usedBy };
    const keyed = answers.findCall(request.idempotency);
    const isRepeated =
      keyed?.callId === usedBy.callId && keyed.bodyDigest === request.idempotency.bodyDigest.toLowerCase();
    return isRepeated ? { replaces: usedBy.callId } : { usedBy };
  }

  function planVoucher(request: ReserveRequest, channel: ChannelState, voucher: VerifiedVoucher): FundsPlan {
    const { usedBy, replaces } = judgeVoucher(request, voucher);
    if (usedBy) return refuse('voucher_already_used', { channel, request }, { usedByCallId: usedBy.callId });
    const fault = faultOf(channel);
    if (fault !== undefined) return refuse(fault, { channel, request });
    if (voucher.cumulativeAmount > channel.deposit) return refuse('amount_exceeds_deposit', { channel, request });
    if (voucher.cumulativeAmount <= channel.acceptedCumulative) {
      // It came without a call, and was collected by: whoever reads the chain could spend the headroom with it.
      const isPublic = collections.isPublished(channel.channelId, voucher.cumulativeAmount);
      if (isPublic && replaces === undefined) return refuse('voucher_already_used', { channel, request });
      return planHeadroom(request, channel, replaces);
    }
    const accepted = { acceptedCumulative: voucher.cumulativeAmount, acceptedSignature: voucher.signature };
    return planHeadroom(request, channel, replaces, accepted);
  }

  /** Holds the quote against what is signed (never above the deposit), neither charged nor reserved. */
  function planHeadroom(
    request: ReserveRequest,
    channel: ChannelState,
    replaces?: string,
    accepted: Partial<ChannelState> = {},
  ): FundsPlan {
    const { quote } = request;
    const after: ChannelState = { ...channel, ...accepted, reserved: channel.reserved + quote };
    const most = after.acceptedCumulative < after.deposit ? after.acceptedCumulative : after.deposit;
    if (after.charged + after.reserved > most) return refuse('insufficient_headroom', { channel, request });
    const write = () => {
      if (replaces !== undefined) calls.supersede(replaces);
      channels.updateBooks(after);
    };
    return { ok: true, channel: { before: channel, after }, token: channel.token, write };
  }

  return function planChannel(request: ReserveRequest, funds: Exclude<Funds, { kind: 'direct' }>): FundsPlan {
    const channel = channels.find(funds.kind === 'key' ? funds.channelId : funds.voucher.channelId);
    if (channel === undefined) return refuse('channel_not_found', { channel: null, request });
    // The charge would be refused for it, after the provider was paid.
    if (channel.token !== request.token.toLowerCase()) return refuse('channel_wrong_token', { channel, request });
    const owed = refuseDebtor(payments, { request, channel, payer: channel.payer });
    if (owed !== undefined) return owed;
    if (funds.kind === 'voucher') return planVoucher(request, channel, funds.voucher);
    const fault = faultOf(channel);
    return fault === undefined ? planHeadroom(request, channel) : refuse(fault, { channel, request });
  };
}

/** The refusal of a payer with a lost payment; undefined for any other. */
export function refuseDebtor(
  payments: PaymentStore,
  { request, channel, payer }: { request: ReserveRequest; channel: ChannelState | null; payer: Hex },
): Refused | undefined {
  const loss = payments.findLoss(payer);
  if (loss === undefined) return undefined;
  const { paymentId, captured: amount } = loss;
  const owed = { paymentId, amount, retriedUntil: retriedUntilSeconds(loss) };
  return refuse('payer_owes', { channel, request }, { owed });
}
