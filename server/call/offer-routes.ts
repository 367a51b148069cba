import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { costOfUsage, tokensPerPrice } from '../../protocol/pricing/token-prices.ts';
import type { SaleTerms } from '../metering/price-list.ts';
import { quoteCall, shrinkQuote, type Quote } from '../metering/quote-call.ts';
import { uncachedModel } from './cache/cache-terms.ts';
import type { CallOption, PreparedCall } from './prepare-call.ts';
import type { CallDeps, CallRequest, Route } from './types.ts';

/** A route as one call is sold by it. */
export interface Offer extends CallOption {
  quote: Quote;
  /** What it is sold at; null where it costs nothing. */
  sale: SaleTerms | null;
}

/** The routes that one call is sold by; the first is the one that is asked first. */
export type Offers = readonly [Offer, ...Offer[]];

/** The most that the call can cost, whichever of them answers. */
export function dearestOf(offers: Offers): bigint {
  return offers.reduce((most, { quote }) => (quote.amount > most ? quote.amount : most), 0n);
}

/**
 * Quotes a call that is paid for at each of its routes, in the token that it is paid in. A fallback that cannot be sold in it, is above
 * the price ceiling of the first, or may not be bought by this payment is left out.
 * @param sale of the first
 * @throws AutoPayError `model_not_allowed` if a rule put a route first that this payment may not buy
 */
export function offerRoutes(
  deps: Pick<CallDeps, 'prices'>,
  options: { call: PreparedCall; sale: SaleTerms; payment: Pick<CallRequest['payment'], 'mayCall'>; atMs: number },
): Offers {
  const { atMs, call, payment, sale } = options;
  const [first, ...others] = call.options;
  requireAllowed(call, payment);
  const offers: [Offer, ...Offer[]] = [offer(first, sale)];
  for (const option of others) {
    const { route } = option;
    if (payment.mayCall?.(route.model) === false) continue;
    try {
      requireWithinCeiling(deps, { route, ceilingOf: call.route, atMs });
      offers.push(offer(option, saleOf(deps, route, { token: sale.token, atMs })));
    } catch (error) {
      if (!(error instanceof AutoPayError)) throw error;
    }
  }
  return offers;
}

/** The name that was asked for was checked at admission. One that lists `auto` may use what `auto` picks; a rule puts another in its place. */
function requireAllowed({ route, rule }: PreparedCall, { mayCall }: Pick<CallRequest['payment'], 'mayCall'>): void {
  if (rule === null || mayCall === undefined) return;
  // Whoever may buy a model may buy its cached answers.
  if (mayCall(route.model) || mayCall(uncachedModel(route.model))) return;
  const message = `This API key may not call "${route.model}", which rule "${rule}" chose for this request. Take another model or key.`;
  throw new AutoPayError('model_not_allowed', message, { param: 'model', facts: { model: route.model, rule } });
}

/** The same for a call that nobody pays for. */
export function offerFreeRoutes(call: PreparedCall): Offers {
  const [first, ...others] = call.options;
  const free = others.filter(({ route }) => route.prices === null);
  return [offer(first, null), ...free.map((option) => offer(option, null))];
}

function offer(option: CallOption, sale: SaleTerms | null): Offer {
  return { ...option, sale, quote: quoteCall(option.quoteInput, sale) };
}

function saleOf(
  { prices }: Pick<CallDeps, 'prices'>,
  route: Route,
  ask: { token: SaleTerms['token']; atMs: number },
): SaleTerms | null {
  return route.prices === null ? null : prices.termsFor(route.prices, ask);
}

/**
 * Fits offers into what may be spent: outputs that the client did not limit are shortened, and fallbacks that are still too dear are
 * left out. The first stays whatever it costs, so that its price can be told.
 */
export function fitOffers(offers: Offers, headroom: bigint): Offers {
  const [first, ...others] = offers.map((one) => fit(one, headroom));
  if (!first) return offers;
  return [first, ...others.filter(({ quote }) => quote.amount <= headroom)];
}

function fit(one: Offer, headroom: bigint): Offer {
  const { quoteInput: input, sale } = one;
  if (sale === null) return one;
  const whole = one.quote.shrunk ? quoteCall(input, sale) : one.quote;
  const quote = shrinkQuote(whole, { input, tariff: sale, headroom });
  return quote === one.quote ? one : { ...one, quote };
}

/** Without the fallbacks that are dearer than the first. */
export function withoutDearer(offers: Offers): Offers {
  const [first, ...others] = offers;
  return [first, ...others.filter(({ quote }) => quote.amount <= first.quote.amount)];
}

/**
 * Holds a route's prices against a price ceiling, at the conversion of the moment: no kind of token may cost more.
 * @throws AutoPayError `price_above_ceiling`; `price_unavailable` where the ceiling's token has no price: it fails closed
 */
export function requireWithinCeiling(
  { prices }: Pick<CallDeps, 'prices'>,
  { atMs, ceilingOf, route }: { route: Route; ceilingOf: Route; atMs: number },
): void {
  const ceiling = ceilingOf.terms?.priceCeiling;
  if (!ceiling || route.prices === null) return;
  const terms = prices.termsFor(route.prices, { token: ceiling.token, atMs });
  const tariff = ceiling.inUsd ? { ...terms, conversion: null } : terms;
  const million = Number(tokensPerPrice);
  const none = {
    prompt: 0,
    cachedPrompt: 0,
    cacheWrite: 0,
    audioPrompt: 0,
    completion: 0,
    reasoning: 0,
    audioCompletion: 0,
  };
  const dearest = [
    { ...none, prompt: million },
    { ...none, prompt: million, cachedPrompt: million },
    { ...none, prompt: million, cacheWrite: million },
    { ...none, prompt: million, audioPrompt: million },
    { ...none, completion: million },
    { ...none, completion: million, audioCompletion: million },
  ]
    // The price of the call itself is no price of tokens.
    .map((usage) => costOfUsage(usage, { ...tariff, prices: { ...tariff.prices, request: 0n } }))
    .reduce((most, cost) => (cost > most ? cost : most), 0n);
  if (dearest <= ceiling.perMillion) return;
  throw new AutoPayError(
    'price_above_ceiling',
    `At the present price "${route.model}" costs more than its operator's ceiling for "${ceilingOf.model}". Take another model, or try again later.`,
    {
      facts: {
        token: ceiling.token,
        perMillionTokens: String(dearest),
        ceilingPerMillionTokens: String(ceiling.perMillion),
      },
    },
  );
}
