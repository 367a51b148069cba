import { chooseOffer } from './choose-offer.ts';
import { holdPayment, signHeld } from './hold-payment.ts';
import type { Wallet } from './open-wallet.ts';
import { judgeOutcome, readAsked } from './judge-outcome.ts';
import { describeSigned } from './payment-store.ts';
import { recordOutcome } from './record-outcome.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import { knownUsdc, type SellerAsset } from './seller-assets.ts';
import { sendPaid, withIdempotencyKey } from './send-paid.ts';
import { sendRequest, type PreparedRequest } from './send-request.ts';
import { signOffer } from './sign-offer.ts';
import { parseAmount } from './token-amount.ts';
import { createUnansweredPayments, type SellerPayment } from './unanswered-payments.ts';
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

/**
 * Makes the function that pays sellers which are no relays of ours, by x402 (versions 1 and 2) or MPP's `evm/charge`. One call is
 * paid by one signature, within the owner's limits; it is on the disk before it is sent, is sent again if the answer is lost, and is never
 * replaced by another, whatever the seller asks for afterwards; who repeats a call that got no answer, with its Idempotency-Key, sends the same payment. What it settled is in `payments.jsonl`, by the seller's word: there is no receipt, so
 * the limits count what was signed, and not what the seller says that it took.
 *
 * It throws AutoPayError `network_not_allowed`, `asset_not_allowed`, `no_usable_method` or `wallet_limit_exceeded` before anything is signed;
 * `redirect_refused`; `payment_refused` or `offer_changed` for a second 402; `upstream_unreachable` for an answer that stays lost.
 */
export function createSellerPayer(wallet: Wallet): (request: PreparedRequest) => Promise<Response> {
  const { sellers = {}, privateKey } = wallet.options;
  const assets = sellers.assets?.map(withPlainAddress) ?? knownUsdc();
  const unanswered = createUnansweredPayments();

  /** Asks for the price, and signs what is to be paid; the answer, if there is nothing that the wallet can pay. */
  async function askAndSign(request: PreparedRequest): Promise<SellerPayment | Response> {
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
    return { payment, offer, asset, paying };
  }

  return async (request) => {
    const { paid } = withIdempotencyKey(wallet, request);
    const sent = unanswered.find(paid) ?? (await askAndSign(request));
    if (sent instanceof Response) return sent;
    unanswered.keep(paid, sent);
    const { response, mayBeCharged } = await sendPaid(wallet, paid, sent.paying);
    unanswered.end(paid);
    const outcome = await judgeOutcome(response, { ...sent, mayBeCharged });
    await recordOutcome(wallet, sent.payment, outcome.change);
    if (outcome.warning !== undefined) wallet.warn(outcome.warning);
    if (outcome.error) throw outcome.error;
    return outcome.response;
  };
}

/** Offers and books have addresses in lower case; owners write them as their tools do. */
function withPlainAddress(asset: SellerAsset): SellerAsset {
  return { ...asset, address: asset.address.toLowerCase() as Hex };
}

function sellerLimits(asset: SellerAsset, limits: TokenLimits): TokenLimits {
  return { ...limits, perCall: limits.perCall ?? parseAmount(defaultPerCall, asset) };
}
