import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { serveCall } from './call/cache/serve-call.ts';
import type { CallAsk } from './call/prepare-call.ts';
import { readQuotes } from './call/quote-tokens.ts';
import type { CallDeps, CallRequest, ModelBudgets, ResponseSink } from './call/types.ts';
import type { TokenConfig } from './config/relay-config.ts';
import type { BudgetTerms } from './ledger/ledger.ts';
import { nameChain } from './payments/name-chain.ts';

/** What calls that are paid on one chain work with. */
export interface ChainCalls {
  chainId: number;
  deps: CallDeps;
}

/**
 * The life of calls that may be paid on any of several chains: each is one of the chain that pays for it. One that nobody pays for
 * yet is told the offers of the chains that can sell it now; what none can is refused by the home chain.
 *
 * @param chains the home chain first
 */
export function handleAcrossChains(
  chains: readonly [ChainCalls, ...ChainCalls[]],
): (request: CallRequest, sink: ResponseSink) => Promise<void> {
  const [home] = chains;
  const chainOf = (request: CallRequest): ChainCalls => {
    const { chainId, funds } = request.payment;
    if (funds !== null) return chains.find((chain) => chain.chainId === chainId) ?? home;
    return chains.find(({ deps }) => quotesOf(deps, request) !== undefined) ?? home;
  };
  return async (request, sink) => {
    const { chainId, deps } = chainOf(request);
    try {
      await serveCall(deps, request, sink);
    } catch (error) {
      throw request.payment.funds === null ? error : nameChain(error, chainId);
    }
  };
}

/**
 * What a request would cost on a chain, by token; undefined if it is not understood, is free, or the chain cannot sell it now.
 */
export function quotesOf(deps: CallDeps, request: CallAsk): ReadonlyMap<Hex, bigint> | undefined {
  try {
    deps.authority.require();
  } catch (error) {
    if (error instanceof AutoPayError) return undefined;
    throw error;
  }
  return readQuotes(deps, request);
}

const maxRate = 2n ** 128n - 1n;

/**
 * The budgets of the home chain, for tokens of another: each counts as the home token with its symbol, whole token for whole token.
 *
 * @param options.tokens those of the other chain
 * @param options.homeTokens those that votes have set rates for
 */
export function budgetsFromHome(options: {
  budgets: ModelBudgets;
  homeTokens: readonly Pick<TokenConfig, 'symbol' | 'address' | 'decimals'>[];
  tokens: readonly Pick<TokenConfig, 'symbol' | 'address' | 'decimals'>[];
}): ModelBudgets {
  const { budgets, homeTokens, tokens } = options;
  return {
    terms(ask): BudgetTerms {
      const token = tokens.find(({ address }) => address === ask.token);
      const atHome = token && homeTokens.find(({ symbol }) => symbol === token.symbol);
      if (!atHome) {
        const message = 'This token is none of the home chain, so no vote says what it counts. Pay in another.';
        throw new AutoPayError('token_without_rate', message, { facts: { token: ask.token } });
      }
      const terms = budgets.terms({ ...ask, token: atHome.address });
      return { ...terms, rate: scaleRate(terms.rate, atHome.decimals - token.decimals) };
    },
  };
}

/** A rate is for an atomic unit; rounded up, so that nothing counts less than at home. */
function scaleRate(rate: bigint, digits: number): bigint {
  const power = 10n ** BigInt(Math.abs(digits));
  const scaled = digits >= 0 ? rate * power : (rate + power - 1n) / power;
  if (scaled <= maxRate) return scaled;
  const message = 'An atomic unit of this token counts more than budgets can hold. Pay in another token.';
  throw new AutoPayError('token_without_rate', message);
}
