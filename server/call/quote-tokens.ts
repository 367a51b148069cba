import type { Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { dearestOf, offerRoutes, requireWithinCeiling } from './offer-routes.ts';
import { prepareCall, type CallAsk, type PreparedCall } from './prepare-call.ts';
import type { CallDeps } from './types.ts';

/** The most that a call can cost, whichever route answers, by token: atomic units. What it cannot be paid in at present is left out. */
export type TokenQuotes = ReadonlyMap<Hex, bigint>;

/**
 * Quotes a call in every token that it can be paid in.
 * @throws AutoPayError why it can be paid in none; nothing on a free route
 */
export function quoteTokens(deps: Pick<CallDeps, 'budgets' | 'clock' | 'prices'>, call: PreparedCall): TokenQuotes {
  const quotes = new Map<Hex, bigint>();
  const atMs = deps.clock.nowMs();
  const rows = call.route.prices ?? [];
  let refusal: AutoPayError | undefined;
  for (const { token } of rows) {
    try {
      // A token that counts in no budget is not asked for, or its payer would open a channel in vain.
      deps.budgets.terms({ model: call.route.model, token, atMs });
      requireWithinCeiling(deps, { route: call.route, ceilingOf: call.route, atMs });
      const sale = deps.prices.termsFor(rows, { token, atMs });
      quotes.set(token, dearestOf(offerRoutes(deps, { call, sale, payment: {}, atMs })));
    } catch (error) {
      if (!(error instanceof AutoPayError)) throw error;
      refusal ??= error;
    }
  }
  if (quotes.size === 0 && refusal) throw refusal;
  return quotes;
}

/** The same for a request that has come; undefined if it is not understood, is free, or can be paid in nothing. */
export function readQuotes(
  deps: Pick<CallDeps, 'budgets' | 'clock' | 'limits' | 'prices' | 'chooseRoutes'>,
  request: CallAsk,
): TokenQuotes | undefined {
  try {
    const quotes = quoteTokens(deps, prepareCall(deps, request));
    return quotes.size > 0 ? quotes : undefined;
  } catch (error) {
    if (error instanceof AutoPayError) return undefined;
    throw error;
  }
}
