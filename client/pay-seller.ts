import { chooseOffer } from './choose-offer.ts';
import { withoutRetry } from './error-response.ts';
import { holdPayment, signHeld } from './hold-payment.ts';
import type { Wallet } from './open-wallet.ts';
import { describeSigned, type StoredPayment } from './payment-store.ts';
import { readOffers, type Offer } from './read-offers.ts';
import { readSettlement } from './read-settlement.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { knownUsdc, type SellerAsset } from './seller-assets.ts';
import { sendPaid, withIdempotencyKey } from './send-paid.ts';
import { sendRequest, type PreparedRequest } from './send-request.ts';
import { signOffer } from './sign-offer.ts';
import { formatAmount, parseAmount } from './token-amount.ts';
import { limitsIn, readLimits, type TokenLimits } from './wallet-limits.ts';

/** How sellers are paid that are no relays of ours. */
export interface SellerPolicy {
  /** The only tokens, on the only chains, that they are paid in; the first before the others. Default: USDC, on the chains that `@x402/evm` knows. */
  assets?: readonly SellerAsset[];
  /** Whether to sign Permit2 payments, such as those of `upto`, too; they need a one-time approval of Permit2 by the owner. Default: no. */
  permit2?: boolean;
}

/** Whole tokens that one call of a stranger may cost where the owner sets no limit: there is no published price to hold it to. */
const defaultPerCall = '0.10';
/** No signature for a stranger is good for longer. */
const mostSeconds = 3_600;
/** Error bodies are short; of what is longer, the headers are read only. */
const maxErrorBytes = 262_144;

/**
 * Makes the function that pays sellers which are no relays of ours, by x402 (versions 1 and 2) or MPP's `evm/charge`. One call is
 * paid by one signature, within the owner's limits; it is on the disk before it is sent, is sent again if the answer is lost, and is never
 * replaced by another, whatever the seller asks for afterwards. What it settled is in `payments.jsonl`, by the seller's word: there is no receipt, so
 * the limits count what was signed, and not what the seller says that it took.
 *
 * It throws AutoPayError `network_not_allowed`, `asset_not_allowed`, `no_usable_method` or `wallet_limit_exceeded` before anything is signed;
 * `redirect_refused`; `payment_refused` or `offer_changed` for a second 402; `upstream_unreachable` for an answer that stays lost.
 */
export function createSellerPayer(wallet: Wallet): (request: PreparedRequest) => Promise<Response> {
  const { sellers = {}, privateKey } = wallet.options;
  const assets = sellers.assets ?? knownUsdc();

  return async (request) => {
    const headers = new Headers(request.headers);
    // Unpaid: an Idempotency-Key of the caller's is for the paid request.
    headers.delete('idempotency-key');
    const asking = await sendRequest(wallet, { ...request, headers });
    if (asking.status !== 402) return asking;
    const asked = await readAsked(asking);
    if (asked.offers.length === 0) return asked.response;
    const { offer, asset } = chooseOffer(asked.offers, { assets, permit2: sellers.permit2 ?? false });
    const limits = sellerLimits(asset, limitsIn(asset, wallet.options.limits, await readLimits(wallet.stateDir)));
    const { chainId } = asset;
    const { amount } = offer;
    const hold = await holdPayment(wallet.state, { chainId, token: asset, amount, limits });
    const sign = () => signOffer(offer, { privateKey, amount, mostSeconds });
    const { headers: paying, ...identity } = await signHeld(wallet.state, hold, sign);
    const payment = describeSigned(offer, { ...identity, amount, chainId, url: request.url });
    await wallet.payments.append(payment);
    const { response, wasLost } = await sendPaid(wallet, withIdempotencyKey(request).paid, paying);
    const outcome = await judge(response, { payment, offer, asset, wasLost });
    const latest = { ...payment, ...outcome.change, atMs: Date.now() };
    await wallet.payments.append(latest);
    wallet.options.onPayment?.(latest);
    if (outcome.warning !== undefined) wallet.warn(outcome.warning);
    if (outcome.error) throw outcome.error;
    return outcome.response;
  };
}

interface Asked {
  offers: readonly Offer[];
  reason: string;
  /** The same answer, unread, to hand on. */
  response: Response;
}

async function readAsked(response: Response): Promise<Asked> {
  const { status, statusText, headers } = response;
  const bytes = (await response.bytes()) as Uint8Array<ArrayBuffer>;
  const { offers, reason } = readOffers(headers, bytes.length > maxErrorBytes ? new Uint8Array() : bytes);
  return { offers, reason, response: new Response(bytes, { status, statusText, headers }) };
}

function sellerLimits(asset: SellerAsset, limits: TokenLimits): TokenLimits {
  return { ...limits, perCall: limits.perCall ?? parseAmount(defaultPerCall, asset) };
}

/** What became of a payment: a change of its record, and the answer or an error in its place. */
interface Outcome {
  change: Partial<StoredPayment>;
  response: Response;
  error?: AutoPayError;
  warning?: string;
}

async function judge(
  response: Response,
  { payment, offer, asset, wasLost }: { payment: StoredPayment; offer: Offer; asset: SellerAsset; wasLost: boolean },
): Promise<Outcome> {
  const { origin } = new URL(payment.url);
  const settlement = readSettlement(response.headers);
  if (response.status === 402) {
    const { offers, reason } = await readAsked(response);
    const why = settlement?.reason || reason;
    const error = refusedAgain(offers, { origin, offer, asset, payment, why });
    // What refuses the payment the second time may have taken it the first time, whose answer was lost.
    const state = wasLost ? 'unconfirmed' : 'refused';
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
