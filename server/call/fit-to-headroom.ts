import { countBody } from '../metering/count-body.ts';
import type { SaleTerms } from '../metering/price-list.ts';
import { fitOffers, offerRoutes, type Offers } from './offer-routes.ts';
import type { CallOption, PreparedCall } from './prepare-call.ts';
import type { CallDeps, CallRequest } from './types.ts';

/** No text has fewer tokens than this leaves: where even they are too dear, nothing is counted for a payer who cannot pay. */
const mostBytesPerToken = 8;

/** What is to be fitted into what. */
export interface FitOptions {
  call: PreparedCall;
  request: Pick<CallRequest, 'body' | 'payment'>;
  sale: SaleTerms;
  /** Null where the payment is for what was quoted. */
  headroom: bigint | null;
  atMs: number;
}

/**
 * Quotes a call within what its payer has authorised: by the bytes of its prompt, and where that does not fit, by its tokens, if the
 * tokenizer of the route's models is known (DESIGN.md §4.2).
 * @returns a promise only where tokens have to be counted
 */
export function fitToHeadroom(deps: Pick<CallDeps, 'prices'>, options: FitOptions): Offers | Promise<Offers> {
  const { atMs, call, headroom, request, sale } = options;
  const { payment } = request;
  const offerAll = (prepared: PreparedCall) => offerRoutes(deps, { call: prepared, sale, payment, atMs });
  const offers = offerAll(call);
  if (headroom === null) return offers;
  const fitting = fitOffers(offers, headroom);
  if (fitting[0].quote.amount <= headroom) return fitting;
  const leastTokens = Math.ceil(request.body.length / mostBytesPerToken);
  const [least] = fitOffers(offerAll(withTokens(call, () => leastTokens)), headroom);
  if (least.quote.amount > headroom) return fitting;
  return countTokens(call, request.body).then((counted) => fitOffers(offerAll(counted), headroom));
}

async function countTokens(call: PreparedCall, body: Buffer): Promise<PreparedCall> {
  const { overheadTokens } = call.asked;
  const counts = new Map<CallOption, number | null>();
  for (const option of call.options) {
    const counted = await countBody(
      body,
      option.deployments.map(({ model }) => model),
    );
    counts.set(option, counted === null ? null : counted + overheadTokens);
  }
  return withTokens(call, (option) => counts.get(option) ?? null);
}

function withTokens(call: PreparedCall, tokensOf: (option: CallOption) => number | null): PreparedCall {
  const recount = (option: CallOption): CallOption => ({
    ...option,
    quoteInput: { ...option.quoteInput, countedTokens: tokensOf(option) },
  });
  const [first, ...others] = call.options;
  return { ...call, options: [recount(first), ...others.map(recount)] };
}
