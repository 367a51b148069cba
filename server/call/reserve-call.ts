import { zeroAddress, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type {
  BudgetTerms,
  Funds,
  Idempotency,
  ReserveOutcome,
  ReserveRefusal,
  SpendingScope,
} from '../ledger/ledger.ts';
import { quoteOfBounds } from '../../protocol/pricing/token-prices.ts';
import type { SaleTerms } from '../metering/price-list.ts';
import { fitToHeadroom } from './fit-to-headroom.ts';
import {
  dearestOf,
  fitOffers,
  offerFreeRoutes,
  requireWithinCeiling,
  withoutDearer,
  type Offers,
} from './offer-routes.ts';
import type { FirstSlice } from './pay-as-you-stream.ts';
import type { PreparedCall } from './prepare-call.ts';
import { quoteTokens } from './quote-tokens.ts';
import { headroomOf, roomAfter } from './read-headroom.ts';
import { refuseReservation } from './refuse-reservation.ts';
import type { CallDeps, CallRequest } from './types.ts';

/** A call whose quote is held. */
export interface ReservedCall {
  /** The routes that may answer, as it is sold by each; what is held covers the dearest. */
  offers: Offers;
  /** The token that it is paid in; null on a free route. */
  token: Hex | null;
  admittedAtMs: number;
  /** Set where less than the quote is held, since its payer signs as the stream comes. */
  slice: FirstSlice | null;
  /** Whether its answer is kept, to be given again. */
  keepsAnswer: boolean;
  /** See ReserveOutcome: nothing may reach the client before. */
  durable: Promise<void>;
}

/** The lease outlives the call by this much, so that the sweeper never frees what is still being charged. */
const leaseMarginMs = 60_000;

/** A call that came before: not reserved again, but answered as the first was. */
export interface RepeatedCall {
  /** The first call's. */
  repeats: string;
}

interface ReserveOptions {
  request: CallRequest;
  call: PreparedCall;
  /** Null where a repeated request is another call; on a free route. */
  idempotency: Idempotency | null;
}

/**
 * Holds the quote against the payer's funds, the caps on its spending and the model's budget of the day, in the token that it
 * pays in. Where other routes may answer, the dearest of them is held; those that what is authorised does not cover are left out.
 * Where the client set no output limit, the quote shrinks to the headroom of a channel, a key or an allowance; what still does not fit
 * is quoted by the tokens of its prompt, where they can be counted.
 * @throws AutoPayError `rate_limit_exceeded` (free routes; LateFailures), `relay_not_authorized`, `payment_required`, `price_above_ceiling`, what `PriceList.termsFor` and `ModelBudgets.terms` throw, or the ledger's refusal,
 * with the numbers that mend it.
 */
export async function reserveCall(deps: CallDeps, options: ReserveOptions): Promise<ReservedCall | RepeatedCall> {
  const { call, request } = options;
  const atMs = deps.clock.nowMs();
  // Nothing to pay: funds that came along are not used up.
  if (call.route.prices === null) {
    deps.freeLimit.take(request.clientAddress);
    return hold(deps, {
      request,
      call,
      idempotency: null,
      offers: offerFreeRoutes(call),
      paid: null,
      admittedAtMs: atMs,
    });
  }
  let paid: PaidTerms;
  try {
    paid = readTerms(deps, options, atMs);
  } catch (error) {
    // What cannot be sold now may have been sold before: whoever asks for its answer again must not be sent to pay anew.
    const repeat = options.idempotency && (await deps.ledger.findRepeat(options.idempotency));
    if (repeat?.isSame) return { repeats: repeat.callId };
    throw error;
  }
  const { funds, sale } = paid;
  const headroom = headroomOf(funds, request.payment);
  const offers = await fitToHeadroom(deps, { call, request, sale, headroom, atMs });
  return hold(deps, { ...options, offers, paid, admittedAtMs: atMs });
}

/** Who pays: a wallet, whichever of its channels and keys it comes with. Null on a free route. */
export function payerOf({ channel, funds, idempotencyScope }: CallRequest['payment']): string | null {
  if (funds === null) return null;
  return channel?.payer ?? (funds.kind === 'direct' ? funds.payment.payer : idempotencyScope);
}

/** What a call is paid with, and sold at. */
interface PaidTerms {
  funds: Funds;
  sale: SaleTerms;
  budget: BudgetTerms;
  /** Of the method of payment, and of the payer. */
  scopes: readonly SpendingScope[];
}

function readTerms(deps: CallDeps, { request, call }: ReserveOptions, atMs: number): PaidTerms {
  const { funds, token } = request.payment;
  const { prices, model } = call.route;
  // Before payment is asked for: it could not be collected, or the receipt would be no evidence.
  deps.authority.require();
  const payer = payerOf(request.payment);
  if (payer !== null) deps.running.lateFailures.require(payer, atMs);
  if (funds === null || token === null) {
    // What can be paid in no token at present is not for sale: that is said before payment is asked for.
    quoteTokens(deps, call);
    throw new AutoPayError(
      'payment_required',
      'This model is paid per call. Pay the quote by one of the offers of this answer, or use the sidecar or payFetch, which do it for you.',
    );
  }
  const sale = deps.prices.termsFor(prices ?? [], { token, atMs });
  requireWithinCeiling(deps, { route: call.route, ceilingOf: call.route, atMs });
  const ofPayer = payer === null ? undefined : deps.payerScope?.({ payer, sale, atMs });
  const scopes = [...request.payment.scopes, ...(ofPayer ? [ofPayer] : [])];
  return { funds, sale, budget: deps.budgets.terms({ model, token, atMs }), scopes };
}

interface HoldOptions extends ReserveOptions {
  offers: Offers;
  /** Null on a free route. */
  paid: PaidTerms | null;
  admittedAtMs: number;
}

async function hold(deps: CallDeps, options: HoldOptions): Promise<ReservedCall | RepeatedCall> {
  const { call, paid, idempotency, admittedAtMs } = options;
  let { offers } = options;
  let outcome = await reserve(deps, options, dearestOf(offers));
  const retry = async (fewer: Offers) => {
    if (dearestOf(fewer) >= dearestOf(offers)) return;
    offers = fewer;
    outcome = await reserve(deps, options, dearestOf(offers));
  };
  // Parallel calls took headroom since admission: once more with what the ledger says is left.
  const room = outcome.ok || paid === null ? null : roomAfter(outcome.refusal, options.request.payment);
  if (room !== null) await retry(fitOffers(offers, room));
  // The model that was asked for rather than nothing.
  if (!outcome.ok && isTooDear(outcome.refusal)) await retry(withoutDearer(offers));
  let slice: FirstSlice | null = null;
  const [first] = offers;
  const amount = outcome.ok ? null : firstSliceOf(deps, { ...options, offers }, outcome.refusal);
  if (amount !== null && paid !== null) {
    const sliced = await reserve(deps, options, amount);
    if (sliced.ok) {
      slice = { held: amount, budget: paid.budget, scopes: paid.scopes };
      // What is signed as it comes is signed at one price.
      offers = [first];
      outcome = sliced;
    }
  }
  if (!outcome.ok) {
    const { refusal } = outcome;
    const { code, usedByCallId } = refusal;
    if (code === 'idempotent_repeat' && usedByCallId !== undefined) return { repeats: usedByCallId };
    const terms = paid && { funds: paid.funds, token: paid.sale.token, budget: paid.budget };
    throw refuseReservation({ refusal, quote: first.quote, model: call.route.model, paid: terms, idempotency });
  }
  // Forgotten in a crash, a payment of its own could buy a second answer; of the other funds no more than headroom could be spent.
  if (paid?.funds.kind === 'direct') await outcome.durable;
  // It is awaited later, and only once; until then a rejection is nobody's yet.
  else outcome.durable.catch(() => undefined);
  const keepsAnswer = idempotency !== null;
  return { offers, slice, token: paid && paid.sale.token, keepsAnswer, admittedAtMs, durable: outcome.durable };
}

/**
 * What a stream may begin with whose payer signs as it comes: its prompt, and so much output as is held at a time. Null where
 * it may not.
 */
function firstSliceOf(
  deps: CallDeps,
  { call, offers, paid, request }: HoldOptions,
  refusal: ReserveRefusal,
): bigint | null {
  const { slices } = deps;
  const takesSlices = call.asked.stream && request.payment.takesSlices === true;
  if (!slices || !takesSlices || paid === null || refusal.code !== 'insufficient_headroom') return null;
  // What is hidden would run unpaid, and so would what a payer has left unpaid before.
  if (!call.route.firstSlice || paid.funds.kind !== 'voucher') return null;
  if (slices.unpaid.has(paid.funds.voucher.channelId)) return null;
  const { quote } = offers[0];
  const { promptTokens } = quote;
  const amount = quoteOfBounds({ promptTokens, choices: 1, outputTokens: slices.outputTokens }, paid.sale);
  return amount < quote.amount ? amount : null;
}

/** Refusals that a smaller quote may not meet. */
const tooDear: readonly ReserveRefusal['code'][] = [
  ...(['insufficient_headroom', 'insufficient_allowance', 'insufficient_funds', 'amount_exceeds_deposit'] as const),
  ...(['scope_exceeded', 'model_budget_exceeded', 'unsettled_limit_reached'] as const),
];

function isTooDear({ code }: ReserveRefusal): boolean {
  return tooDear.includes(code);
}

function reserve(deps: CallDeps, options: HoldOptions, quote: bigint): Promise<ReserveOutcome> {
  const { request, call, paid, admittedAtMs, idempotency } = options;
  const { callTimeoutMs, drainTimeoutMs } = deps.limits;
  const { keyId } = request.payment;
  return deps.ledger.reserve({
    callId: request.callId,
    funds: paid && paid.funds,
    scopes: paid === null ? [] : paid.scopes,
    idempotency,
    maxUnsettled: paid?.funds.kind === 'direct' ? deps.maxUnsettled(paid.sale.token, admittedAtMs) : null,
    keyId,
    token: paid === null ? zeroAddress : paid.sale.token,
    quote,
    model: call.route.model,
    budget: paid && paid.budget,
    admittedAtMs,
    // Of a JSON answer nothing leaves before the charge.
    mayWait: !call.asked.stream && paid?.funds.kind !== 'direct',
    leaseUntilMs: admittedAtMs + callTimeoutMs + drainTimeoutMs + leaseMarginMs,
  });
}
