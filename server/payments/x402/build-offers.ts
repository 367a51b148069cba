import type { Hex } from '../../../protocol/bytes/hex.ts';
import { encodeHeaderJson } from '../../../protocol/x402/header-json.ts';
import type { Challenge, ChallengeContext } from '../payment-method.ts';
import { v1NetworkOf } from './v1-network.ts';
import { networkOf, type X402Terms, type X402Token } from './x402-terms.ts';

/** x402 v2, `PaymentRequirements`. */
export interface PaymentRequirements {
  scheme: 'exact' | 'upto';
  network: `eip155:${number}`;
  asset: Hex;
  /** Atomic units. */
  amount: string;
  payTo: Hex;
  maxTimeoutSeconds: number;
  extra: Readonly<Record<string, string>>;
}

const maxErrorCharacters = 200;
const description = 'One LLM call, charged for what it used';
const mimeType = 'application/json';

/** A chain that x402 is offered on, and what a call can cost there. */
export interface OfferedChain {
  terms: X402Terms;
  context: ChallengeContext;
}

/** The offers of x402 for a call: for each token `upto`, then `exact`; undefined if it can be paid in none. */
export function buildOffers(terms: X402Terms, context: ChallengeContext): Challenge | undefined {
  return buildOffersOn([{ terms, context }]);
}

/**
 * The same on several chains in one header: x402 has no other place for them. The first token of each chain comes before the second of
 * any, and there the `upto` of all but the first chain is last: where the last offers are left out, each chain keeps what most clients
 * know.
 */
export function buildOffersOn(chains: readonly OfferedChain[]): Challenge | undefined {
  const [first] = chains;
  const placed = chains.flatMap(({ terms, context }, position) =>
    listOffers(terms, context).flatMap((ofToken, rank) =>
      ofToken.map((offer) => ({ terms, offer, place: 2 * rank + Number(position > 0 && offer !== ofToken.at(-1)) })),
    ),
  );
  const offers = placed.toSorted((one, other) => one.place - other.place);
  if (first === undefined || offers.length === 0) return undefined;
  const url = first.terms.baseUrl + first.context.path;
  const error = first.context.message.slice(0, maxErrorCharacters).toWellFormed();
  const resource = { url, description, mimeType };
  const accepts = offers.map(({ offer }) => offer);
  const acceptsV1 = offers
    .filter(({ offer }) => takesV1(offer))
    .map(({ terms, offer }) => describeForV1(terms, offer, url));
  return {
    offers: accepts.length,
    least: offers.filter(({ place }) => place === 0).length,
    headers: (count) => ({
      'PAYMENT-REQUIRED': encodeHeaderJson({ x402Version: 2, error, resource, accepts: accepts.slice(0, count) }),
    }),
    ...(acceptsV1.length > 0 && { body: { x402Version: 1, accepts: acceptsV1 } }),
    facts: {},
  };
}

/** By token: `upto`, then `exact`. */
function listOffers(terms: X402Terms, { quotes }: ChallengeContext): PaymentRequirements[][] {
  const byToken = terms.tokens.map((token) => {
    const amount = quotes?.get(token.address) ?? 0n;
    if (amount === 0n) return [];
    return [
      ...(terms.hasUpto ? [requirementsFor(terms, { kind: 'permit2-upto', token, amount })] : []),
      ...(token.domain !== null || terms.hasPermit2Exact
        ? [requirementsFor(terms, { kind: exactKindOf(token), token, amount })]
        : []),
    ];
  });
  return byToken.filter((offers) => offers.length > 0);
}

/** How `exact` is paid in a token. */
export function exactKindOf({ domain }: Pick<X402Token, 'domain'>): 'eip3009' | 'permit2-exact' {
  return domain === null ? 'permit2-exact' : 'eip3009';
}

/** What a payment of an amount is verified against; as offered, if the amount is the quote. */
export function requirementsFor(
  terms: X402Terms,
  payment: { kind: 'eip3009' | 'permit2-exact' | 'permit2-upto'; token: X402Token; amount: bigint },
): PaymentRequirements {
  const { kind, token, amount } = payment;
  const { desk, maxTimeoutSeconds } = terms;
  return {
    scheme: kind === 'permit2-upto' ? 'upto' : 'exact',
    network: networkOf(terms),
    asset: token.address,
    amount: amount.toString(),
    payTo: desk,
    maxTimeoutSeconds,
    extra: {
      ...(kind === 'eip3009' ? token.domain : { assetTransferMethod: 'permit2' }),
      ...(kind === 'permit2-upto' && { facilitatorAddress: desk }),
    },
  };
}

/** v1 knows `exact` by EIP-3009 only. */
function takesV1({ scheme, extra }: PaymentRequirements): boolean {
  return scheme === 'exact' && extra['assetTransferMethod'] === undefined;
}

function describeForV1(terms: X402Terms, offer: PaymentRequirements, resource: string): Record<string, unknown> {
  const { scheme, amount, payTo, maxTimeoutSeconds, asset, extra } = offer;
  const network = v1NetworkOf(terms.chainId);
  return {
    ...{ scheme, network, maxAmountRequired: amount, resource, description, mimeType },
    ...{ payTo, maxTimeoutSeconds, asset, extra },
  };
}
