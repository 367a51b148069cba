import { zeroAddress } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { BudgetTerms, ChannelState, ReserveOutcome, ReserveRefusal, VerifiedVoucher } from '../ledger/ledger.ts';
import type { SaleTerms } from '../metering/price-list.ts';
import { quoteCall, shrinkQuote, type Quote } from '../metering/quote-call.ts';
import type { PreparedCall } from './prepare-call.ts';
import { quoteTokens } from './quote-tokens.ts';
import type { CallDeps, CallRequest } from './types.ts';

/** A call whose quote is held. */
export interface ReservedCall {
  quote: Quote;
  /** What the call is sold at; null on a free route. */
  sale: SaleTerms | null;
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
  channel_wrong_token: 'This channel holds another token than this relay takes. Open one in a token of the challenges.',
  channel_closing: 'A close of this channel is pending. Top it up to cancel the close, or open another.',
  model_budget_exceeded:
    'What this model may spend per UTC day is set by vote, and today’s rest does not cover this call. Ask for fewer output tokens, take another model, or call again at resetsAt.',
};

const dayMs = 86_400_000;

/**
 * Holds the quote against the payer's headroom and the model's budget of the day, in the token of the channel that pays.
 * Where the client set no output limit, the quote shrinks to the headroom.
 * @throws AutoPayError `relay_not_authorized`, `payment_required`, what `PriceList.termsFor` and `ModelBudgets.terms` throw, or the ledger's refusal,
 * with the numbers that mend it.
 */
export async function reserveCall(deps: CallDeps, request: CallRequest, call: PreparedCall): Promise<ReservedCall> {
  const atMs = deps.clock.nowMs();
  const { voucher, channel } = request.payment;
  const { prices: rows, model } = call.route;
  // Nothing to pay: a voucher that came along is not used up.
  if (rows === null) {
    return hold(deps, { request, call, quote: quoteCall(call.quoteInput, null), paid: null, admittedAtMs: atMs });
  }
  // Before payment is asked for: it could not be collected, or the receipt would be no evidence.
  deps.authority.require();
  if (voucher === null || channel === null) {
    // What can be paid in no token at present is not for sale: that is said before payment is asked for.
    quoteTokens(deps, call);
    throw new AutoPayError(
      'payment_required',
      'This model is paid per call. Sign a voucher for the quote, or use the sidecar or payFetch, which do it for you.',
    );
  }
  const { token } = channel;
  const sale = deps.prices.termsFor(rows, { token, atMs });
  const budget = deps.budgets.terms({ model, token, atMs });
  const headroom = headroomOf(channel, voucher);
  const quote = shrinkQuote(quoteCall(call.quoteInput, sale), { input: call.quoteInput, tariff: sale, headroom });
  return hold(deps, { request, call, quote, paid: { voucher, sale, budget }, admittedAtMs: atMs });
}

interface HoldOptions {
  request: CallRequest;
  call: PreparedCall;
  quote: Quote;
  /** Null on a free route. */
  paid: { voucher: VerifiedVoucher; sale: SaleTerms; budget: BudgetTerms } | null;
  admittedAtMs: number;
}

async function hold(deps: CallDeps, options: HoldOptions): Promise<ReservedCall> {
  const { call, paid, admittedAtMs } = options;
  let { quote } = options;
  let outcome = await reserve(deps, options, quote);
  if (!outcome.ok && paid && outcome.refusal.code === 'insufficient_headroom') {
    // Parallel calls took headroom since admission: once more with what the ledger says is left.
    const { sale, voucher } = paid;
    const headroom = headroomOf(outcome.refusal.channel, voucher);
    const { quoteInput: input } = call;
    const smaller = shrinkQuote(quoteCall(input, sale), { input, tariff: sale, headroom });
    if (smaller.shrunk && smaller.amount < quote.amount) {
      quote = smaller;
      outcome = await reserve(deps, options, quote);
    }
  }
  if (!outcome.ok) throw refuse(outcome.refusal, options, quote);
  // It is awaited later, and only once; until then a rejection is nobody's yet.
  outcome.durable.catch(() => undefined);
  return { quote, sale: paid && paid.sale, admittedAtMs, durable: outcome.durable };
}

function reserve(deps: CallDeps, options: HoldOptions, quote: Quote): Promise<ReserveOutcome> {
  const { request, call, paid, admittedAtMs } = options;
  const { callTimeoutMs, drainTimeoutMs } = deps.limits;
  return deps.ledger.reserve({
    callId: request.callId,
    voucher: paid && paid.voucher,
    token: paid === null ? zeroAddress : paid.sale.token,
    quote: quote.amount,
    model: call.route.model,
    budget: paid && paid.budget,
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

function refuse(refusal: ReserveRefusal, { call, paid }: HoldOptions, quote: Quote): AutoPayError {
  const { channel, code, spending } = refusal;
  if (spending !== undefined && paid !== null) {
    const { budget } = paid;
    const facts = {
      model: call.route.model,
      day: budget.day,
      limitAgpt: String(budget.limitAgpt),
      spentAgpt: String(spending.charged),
      reservedAgpt: String(spending.reserved),
      quoteAgpt: String(spending.quote),
      resetsAt: new Date((budget.day + 1) * dayMs).toISOString(),
    };
    return new AutoPayError(code, remedies[code], { facts });
  }
  const facts = {
    quote: String(quote.amount),
    ...(paid && { token: paid.sale.token }),
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
  return new AutoPayError(code, remedies[code], { facts });
}
