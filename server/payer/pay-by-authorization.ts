import { randomBytes } from 'node:crypto';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { formatCredential } from '../../protocol/mpp/credential.ts';
import { challengeNonce } from '../../protocol/typed-data/authorization.ts';
import type { PurchaseLedger, PurchaseMethod } from '../ledger/purchase-ledger.ts';
import type { TokenDomain } from '../payments/token-domains.ts';
import { describeRefusal } from './describe-refusal.ts';
import type { PurchaseCloser } from './purchase-closer.ts';
import { readChargeOffers } from './read-mpp-offers.ts';
import { readSettlement } from './read-settlement.ts';
import { readX402Offers, type ExactPayload } from './read-x402-offers.ts';
import type { PayerWallet, SellerTerms } from './seller-terms.ts';
import { signTransfer } from './sign-transfer.ts';
import type { Declined, PayableRequest, PaymentRequired, SignedPurchase, UpstreamPayer } from './upstream-payer.ts';

/** What paying by EIP-3009 authorizations works with. */
export interface AuthorizationPayerOptions {
  method: Exclude<PurchaseMethod, 'evm/session'>;
  terms: SellerTerms;
  wallet: PayerWallet;
  ledger: Pick<PurchaseLedger, 'openPurchase'>;
  closer: PurchaseCloser;
  /** The chain's names in x402. */
  networks: readonly string[];
  /** The EIP-712 domain of the token; null if it takes no authorizations. May ask the chain. */
  readDomain: () => Promise<TokenDomain | null>;
  nowMs: () => number;
}

/** What is asked for, and how it is answered. */
interface Demand {
  amount: bigint;
  payTo: Hex;
  nonce: Hex;
  /** Unix seconds. */
  validAfter: number;
  validBefore: number;
  header: (payload: ExactPayload) => { name: string; value: string };
}

/** Clocks may differ by so much. */
const clockSkewSeconds = 600;
/** A payment that is good for longer would count as spent for longer where its answer is lost. */
const maxLifetimeSeconds = 86_400;
/** Where a challenge names no end (draft-evm-charge-00 leaves it to the payer). */
const defaultLifetimeSeconds = 300;

/**
 * Pays by one EIP-3009 authorization for each call: x402 `exact` (v2, v1), or MPP `evm/charge`. What is signed is taken whole, so it
 * is held to the limits whole.
 */
export function createAuthorizationPayer(options: AuthorizationPayerOptions): UpstreamPayer {
  const find = options.method === 'x402' ? findX402 : findCharge;
  return {
    async pay(request, required) {
      const demand = find(options, required);
      return 'declined' in demand ? demand : buy(options, { request, demand });
    },
  };
}

async function buy(
  options: AuthorizationPayerOptions,
  { request, demand }: { request: PayableRequest; demand: Demand },
): Promise<SignedPurchase | Declined> {
  const { closer, ledger, method, terms, wallet } = options;
  const { amount: maximum, nonce, payTo: payee, validAfter, validBefore } = demand;
  if (maximum > terms.maxPerCall) {
    return { declined: 'the price is above the limit for one call', facts: { price: String(maximum) } };
  }
  const domain = await options.readDomain();
  if (domain === null) return { declined: `${terms.token.symbol} takes no EIP-3009 authorizations` };
  const { callId, number } = request.attempt;
  const decision = await ledger.openPurchase({
    ...{ callId, attempt: number, provider: terms.provider, method, maximum, payee, payer: wallet.address },
    ...{ chainId: terms.chainId, token: terms.token.address, nowMs: options.nowMs() },
    ...{ maxPerCall: terms.maxPerCall, maxPerDay: terms.maxPerDay },
    authority: { kind: 'authorization', nonce, validBefore },
  });
  if (!decision.ok) return describeRefusal(decision.reason);
  const times = { validAfter: BigInt(validAfter), validBefore: BigInt(validBefore) };
  const signature = signTransfer(
    { ...domain, chainId: terms.chainId, verifyingContract: terms.token.address },
    { from: wallet.address, to: payee, value: maximum, nonce, ...times },
    wallet,
  );
  const { name, value } = demand.header({
    signature,
    authorization: {
      ...{ from: wallet.address, to: payee, value: String(maximum), nonce },
      ...{ validAfter: String(validAfter), validBefore: String(validBefore) },
    },
  });
  const { purchaseId } = decision;
  const about = { ...request.attempt, provider: terms.provider, amount: String(maximum) };
  return {
    headers: { [name]: value },
    take(response) {
      const transactionHash = readSettlement(response.headers);
      // Signed is signed: unless the seller says that it has taken it, the chain tells what became of it, in its time.
      if (transactionHash) closer.close({ purchaseId, state: 'paid', cost: maximum, transactionHash }, about);
      else closer.close({ purchaseId, state: 'unknown' }, about);
      if (response.status < 200 || response.status > 299) {
        closer.warn(
          { ...about, status: response.status },
          'a provider was sent a payment, and did not answer the call',
        );
      }
      return response;
    },
    lose: () => closer.lose(purchaseId, about),
  };
}

function findX402({ networks, nowMs, terms }: AuthorizationPayerOptions, required: PaymentRequired): Demand | Declined {
  const offers = readX402Offers(required);
  const fitting = offers.filter(
    ({ asset, network, payTo }) =>
      networks.includes(network) && asset === terms.token.address && (terms.payTo === null || payTo === terms.payTo),
  );
  const [cheapest] = fitting.sort(
    (one, other) => Number(one.amount > other.amount) - Number(one.amount < other.amount),
  );
  if (!cheapest) return noOffer('x402 exact (EIP-3009)', offers.length);
  const { amount, maxTimeoutSeconds, pay, payTo } = cheapest;
  const nowSeconds = Math.floor(nowMs() / 1_000);
  const times = { validAfter: nowSeconds - clockSkewSeconds, validBefore: nowSeconds + maxTimeoutSeconds };
  return { amount, payTo, nonce: toHex(randomBytes(32)), ...times, header: pay };
}

function findCharge({ nowMs, terms }: AuthorizationPayerOptions, required: PaymentRequired): Demand | Declined {
  const offers = readChargeOffers(required);
  const offer = offers.find(
    ({ request: { currency, methodDetails, recipient } }) =>
      methodDetails.chainId === terms.chainId &&
      currency === terms.token.address &&
      (methodDetails.credentialTypes ?? ['authorization']).includes('authorization') &&
      (terms.payTo === null || recipient === terms.payTo),
  );
  if (!offer) return noOffer('MPP evm/charge', offers.length);
  const nowSeconds = Math.floor(nowMs() / 1_000);
  const { challenge, expires, request } = offer;
  const validBefore = expires ?? nowSeconds + defaultLifetimeSeconds;
  if (validBefore <= nowSeconds) return { declined: 'its challenge has expired' };
  if (validBefore > nowSeconds + maxLifetimeSeconds) return { declined: 'its challenge lasts longer than a day' };
  return {
    ...{ amount: request.amount, payTo: request.recipient, nonce: challengeNonce(challenge) },
    ...{ validAfter: 0, validBefore },
    header: ({ authorization, signature }) => ({
      name: 'authorization',
      value: formatCredential({
        challenge,
        payload: { type: 'authorization', ...authorization, signature },
      }),
    }),
  };
}

function noOffer(what: string, others: number): Declined {
  const declined = `it offers no ${what} on the chain, in the token, and to the payee that the configuration names`;
  return { declined, facts: { otherOffers: others } };
}
