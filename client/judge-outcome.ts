import { withoutRetry } from './error-response.ts';
import type { StoredPayment } from './payment-store.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { readErrorBody } from './read-error-body.ts';
import { readOffers, type Offer } from './read-offers.ts';
import { readSettlement } from './read-settlement.ts';
import type { SellerAsset } from './seller-assets.ts';
import { formatAmount } from './token-amount.ts';
import type { SellerPayment } from './unanswered-payments.ts';

/** A 402 of a seller. */
interface Asked {
  offers: readonly Offer[];
  reason: string;
  /** The same answer, unread, to hand on. */
  response: Response;
}

/** Reads a 402: what it offers, and why. */
export async function readAsked(response: Response): Promise<Asked> {
  const { bytes, response: unread } = await readErrorBody(response);
  return { ...readOffers(response.headers, bytes), response: unread };
}

/** What became of a payment: a change of its record, and the answer or an error in its place. */
interface Outcome {
  change: Partial<StoredPayment>;
  response: Response;
  error?: AutoPayError;
  warning?: string;
}

/**
 * Judges a seller's answer to a payment.
 * @param sent.mayBeCharged an earlier attempt was lost: what is refused now may have been taken then.
 */
export async function judgeOutcome(
  response: Response,
  { payment, offer, asset, mayBeCharged }: Omit<SellerPayment, 'paying'> & { mayBeCharged: boolean },
): Promise<Outcome> {
  const { origin } = new URL(payment.url);
  const settlement = readSettlement(response.headers);
  if (response.status === 402) {
    const { offers, reason } = await readAsked(response);
    const why = settlement?.reason || reason;
    const error = refusedAgain(offers, { origin, offer, asset, payment, why });
    // What refuses the payment the second time may have taken it the first time, whose answer was lost.
    const state = mayBeCharged ? 'unconfirmed' : 'refused';
    return { change: { state, evidence: 'seller', reason: why }, response, error };
  }
  const change: Partial<StoredPayment> = settlement?.isSuccess
    ? { state: 'settled', evidence: 'seller', transaction: settlement.transaction }
    : { state: 'unconfirmed', reason: settlement?.reason ?? (response.ok ? '' : String(response.status)) };
  if (settlement?.isSuccess) change.taken = String(settlement.amount ?? offer.amount);
  const outcome: Outcome = { change, response: response.ok ? response : withoutRetry(response) };
  if (settlement?.amount !== undefined && settlement.amount > offer.amount) {
    const [taken, most] = [formatAmount(settlement.amount, asset), formatAmount(offer.amount, asset)];
    outcome.warning = `${origin} says that it took ${taken}; ${most} was signed, and no more can have been. Look at the chain.`;
    change.taken = payment.amount;
  } else if (settlement && !settlement.isSuccess) {
    outcome.warning = `${origin} answered, but could not settle the payment (${settlement.reason}); its signature is good until ${timeOf(payment)}.`;
  }
  return outcome;
}

function refusedAgain(
  offers: readonly Offer[],
  {
    origin,
    offer,
    asset,
    payment,
    why,
  }: { origin: string; offer: Offer; asset: SellerAsset; payment: StoredPayment; why: string },
): AutoPayError {
  const isSame = (other: Offer) =>
    other.method === offer.method &&
    other.chainId === offer.chainId &&
    other.asset === offer.asset &&
    other.payTo === offer.payTo &&
    other.amount <= offer.amount;
  const hasChanged = offers.length > 0 && !offers.some(isSame);
  const amount = formatAmount(offer.amount, asset);
  const said = why === '' ? 'and does not say why' : `"${why}"`;
  const what = hasChanged
    ? `${origin} was sent the payment that it asked for, and now asks for another one (other payee, token, chain or a higher amount)`
    : `${origin} did not take the payment of ${amount} (${said})`;
  return new AutoPayError(
    hasChanged ? 'offer_changed' : 'payment_refused',
    `${what}. It is not paid twice: nothing more was signed. What was signed can be used until ${timeOf(payment)}, and counts as spent today.`,
    { facts: { paymentId: payment.paymentId, amount: payment.amount, payTo: payment.payTo, sellerSays: why } },
  );
}

const timeOf = ({ validBefore }: StoredPayment) => new Date(validBefore * 1_000).toISOString();
