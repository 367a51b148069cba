import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { ErrorCode } from '../../protocol/errors/error-codes.ts';
import type { ChannelState, ReserveOutcome, ReserveRefusal, VerifiedVoucher } from '../ledger/ledger.ts';
import { shrinkQuote, type Quote } from '../metering/quote-call.ts';
import type { PreparedCall } from './prepare-call.ts';
import type { CallDeps, CallRequest } from './types.ts';

/** A call whose quote is held. */
export interface ReservedCall {
  quote: Quote;
  admittedAtMs: number;
  /** See ReserveOutcome: nothing may reach the client before. */
  durable: Promise<void>;
}

/** The lease outlives the call by this much, so that the sweeper never frees what is still being charged. */
const leaseMarginMs = 60_000;

const remedies: Record<ReserveRefusal['code'], string> = {
  voucher_already_used: 'This voucher has paid for a call already. Sign one with a higher cumulative amount.',
  insufficient_headroom: 'The voucher does not cover the quote. Sign one for at least requiredCumulative.',
  amount_exceeds_deposit: 'The voucher is beyond the deposit of its channel. Top the channel up, or open another.',
  channel_not_found: 'The relay does not know this channel. Open one on the chain first.',
  channel_finalized: 'This channel is closed. Open another.',
  channel_out_of_books: 'More was taken from this channel than the books know of. Open another.',
  channel_wrong_token:
    'This channel holds another token than this relay takes. Open one in the token of the challenge.',
  channel_closing: 'A close of this channel is pending. Top it up to cancel the close, or open another.',
};

/**
 * Holds the quote against the payer's headroom. Where the client set no output limit, the quote shrinks to the headroom.
 * @throws AutoPayError `payment_required`, or the ledger's refusal, with the numbers that mend it.
 */
export async function reserveCall(deps: CallDeps, request: CallRequest, call: PreparedCall): Promise<ReservedCall> {
  const admittedAtMs = deps.clock.nowMs();
  const { voucher, channel } = request.payment;
  // Nothing to pay: a voucher that came along is not used up.
  if (call.route.prices === null) return hold(deps, { request, call, quote: call.quote, voucher: null, admittedAtMs });
  if (voucher === null) {
    throw new AutoPayError(
      'payment_required',
      'This model is paid per call. Sign a voucher for the quote, or use the sidecar or payFetch, which do it for you.',
      { facts: { quote: String(call.quote.amount) } },
    );
  }
  const quote = shrinkQuote(call.quote, call.quoteInput, headroomOf(channel, voucher));
  return hold(deps, { request, call, quote, voucher, admittedAtMs });
}

interface HoldOptions {
  request: CallRequest;
  call: PreparedCall;
  quote: Quote;
  voucher: VerifiedVoucher | null;
  admittedAtMs: number;
}

async function hold(deps: CallDeps, options: HoldOptions): Promise<ReservedCall> {
  const { call, voucher, admittedAtMs } = options;
  let { quote } = options;
  let outcome = await reserve(deps, options, quote);
  if (!outcome.ok && voucher && outcome.refusal.code === 'insufficient_headroom') {
    // Parallel calls took headroom since admission: once more with what the ledger says is left.
    const smaller = shrinkQuote(call.quote, call.quoteInput, headroomOf(outcome.refusal.channel, voucher));
    if (smaller.shrunk && smaller.amount < quote.amount) {
      quote = smaller;
      outcome = await reserve(deps, options, quote);
    }
  }
  if (!outcome.ok) throw refuse(outcome.refusal, quote);
  // It is awaited later, and only once; until then a rejection is nobody's yet.
  outcome.durable.catch(() => undefined);
  return { quote, admittedAtMs, durable: outcome.durable };
}

function reserve(deps: CallDeps, options: HoldOptions, quote: Quote): Promise<ReserveOutcome> {
  const { request, call, voucher, admittedAtMs } = options;
  const { callTimeoutMs, drainTimeoutMs } = deps.limits;
  return deps.ledger.reserve({
    callId: request.callId,
    voucher,
    token: deps.token,
    quote: quote.amount,
    model: call.route.model,
    admittedAtMs,
    leaseUntilMs: admittedAtMs + callTimeoutMs + drainTimeoutMs + leaseMarginMs,
  });
}

/** What the payer has authorised, this voucher included, and neither spent nor reserved. */
function headroomOf(channel: ChannelState | null, voucher: VerifiedVoucher): bigint {
  if (!channel) return 0n;
  const { acceptedCumulative, charged, reserved } = channel;
  const authorised = voucher.cumulativeAmount > acceptedCumulative ? voucher.cumulativeAmount : acceptedCumulative;
  return authorised - charged - reserved;
}

function refuse(refusal: ReserveRefusal, quote: Quote): AutoPayError {
  const { channel } = refusal;
  const code: ErrorCode = refusal.code;
  const facts = {
    quote: String(quote.amount),
    requiredCumulative: String(refusal.requiredCumulative),
    ...(refusal.usedByCallId !== undefined && { callId: refusal.usedByCallId }),
    ...(channel && {
      channelId: channel.channelId,
      acceptedCumulative: String(channel.acceptedCumulative),
      spent: String(channel.charged),
      reserved: String(channel.reserved),
      deposit: String(channel.deposit),
    }),
  };
  return new AutoPayError(code, remedies[refusal.code], { facts });
}
