import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError, type AutoPayErrorOptions } from '../../protocol/errors/auto-pay-error.ts';
import type { BudgetTerms, Funds, Idempotency, ReserveRefusal } from '../ledger/ledger.ts';
import type { Quote } from '../metering/quote-call.ts';

/** What was asked of the ledger, as far as a refusal tells of it. */
export interface RefusedReservation {
  refusal: ReserveRefusal;
  quote: Quote;
  model: string;
  /** Null on a free route. */
  paid: { funds: Funds; token: Hex; budget: BudgetTerms } | null;
  idempotency: Idempotency | null;
}

type Facts = NonNullable<AutoPayErrorOptions['facts']>;

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
  payment_already_used: 'This payment has paid for a call already. Sign a new one for a new call.',
  payer_owes:
    'An earlier payment of this wallet could not be settled. Fund the wallet (or renew its allowance): until retriedUntil the relay tries again by itself, at least once an hour. After that, or where funds do not mend it (a cancelled nonce), contact the operator, who can forgive it. Do not pay for this call before.',
  unsettled_limit_reached:
    'What this wallet has not settled yet, its calls under way included, leaves no room for this call. Wait for it, and send the same request with the same payment again.',
  insufficient_allowance:
    'The allowance does not cover the quote beside the calls under way. Approve more, or wait for those to end.',
  insufficient_funds:
    'The wallet does not hold enough for this call beside its payments that are under way. Add to it, or wait for those to settle.',
  scope_exceeded:
    'The budget of this key (or of its project) does not cover the quote. Ask for fewer output tokens, wait until resetsAt, or have the budget raised.',
  idempotency_mismatch: 'This Idempotency-Key came with another request before. Take a new key for a new request.',
  idempotent_repeat: 'The first call with this Idempotency-Key is still under way. Ask again later, with the same key.',
};

const directHeadroom =
  'The payment is for less than this call can cost. Sign one for at least the quote, in this token, or lower the output limit.';
const keyHeadroom =
  'The headroom that this key may spend does not cover the quote. Sign a voucher for at least requiredCumulative on channelId and send it to POST /v1/keys/headroom.';

const payerScope =
  'What this relay lets one wallet spend in a period does not cover the quote, whatever the wallet pays with. Ask for fewer output tokens, wait until resetsAt, or have the operator raise it (payment.payerBudget).';

const dayMs = 86_400_000;

/** The error of a reservation that the ledger refused, with the numbers that mend it. */
export function refuseReservation(refused: RefusedReservation): AutoPayError {
  const { refusal, idempotency, paid } = refused;
  // Without a key of the client's, the key is the payment itself.
  const isPayment = paid?.funds.kind === 'direct' && paid.funds.payment.paymentId === idempotency?.key;
  const code = refusal.code === 'idempotency_mismatch' && isPayment ? ('payment_already_used' as const) : refusal.code;
  const options: AutoPayErrorOptions = { facts: describe(refused) };
  return new AutoPayError(code, remedyOf(code, refused), options);
}

function remedyOf(code: ReserveRefusal['code'], { paid, refusal }: RefusedReservation): string {
  if (code === 'insufficient_headroom') return headroomRemedy(paid?.funds);
  return refusal.scope?.id.startsWith('payer:') ? payerScope : remedies[code];
}

function headroomRemedy(funds: Funds | undefined): string {
  if (funds?.kind === 'direct') return directHeadroom;
  return funds?.kind === 'key' ? keyHeadroom : remedies.insufficient_headroom;
}

function describe({ refusal, quote, model, paid }: RefusedReservation): Facts {
  const { channel, code, owed, scope, spending, usedByCallId } = refusal;
  if (spending && paid) return describeBudget(model, { budget: paid.budget, spending });
  if (code === 'idempotency_mismatch' || code === 'idempotent_repeat') return named({ callId: usedByCallId });
  if (owed) {
    const retriedUntil = new Date(owed.retriedUntil * 1_000).toISOString();
    return { paymentId: owed.paymentId, amount: String(owed.amount), retriedUntil };
  }
  if (refusal.unsettled) {
    const { amount, limit } = refusal.unsettled;
    return { unsettled: String(amount), limit: String(limit), retryAfterSeconds: 5 };
  }
  const asked = { quote: String(quote.amount), ...(paid && { token: paid.token }) };
  if (scope) {
    const { charged, endsAtSeconds, id, limit, reserved } = scope;
    const resets = endsAtSeconds !== null && { resetsAt: new Date(endsAtSeconds * 1000).toISOString() };
    return {
      ...asked,
      scope: id,
      limit: String(limit),
      charged: String(charged),
      reserved: String(reserved),
      ...resets,
    };
  }
  if (paid?.funds.kind === 'direct') {
    const { availableAllowance: available } = refusal;
    return {
      ...asked,
      maximum: String(paid.funds.payment.maximum),
      ...named({ callId: usedByCallId }),
      ...(available !== undefined && { available: String(available) }),
    };
  }
  return {
    ...asked,
    requiredCumulative: String(refusal.requiredCumulative),
    ...named({ callId: usedByCallId }),
    ...(channel && {
      channelId: channel.channelId,
      acceptedCumulative: String(channel.acceptedCumulative),
      spent: String(channel.charged),
      reserved: String(channel.reserved),
      deposit: String(channel.deposit),
    }),
  };
}

function describeBudget(
  model: string,
  { budget, spending }: { budget: BudgetTerms; spending: NonNullable<ReserveRefusal['spending']> },
): Facts {
  return {
    model,
    day: budget.day,
    limitAgpt: String(budget.limitAgpt),
    spentAgpt: String(spending.charged),
    reservedAgpt: String(spending.reserved),
    quoteAgpt: String(spending.quote),
    resetsAt: new Date((budget.day + 1) * dayMs).toISOString(),
  };
}

function named({ callId }: { callId: string | undefined }): Facts {
  return callId === undefined ? {} : { callId };
}
