import type { Hex } from '../../protocol/bytes/hex.ts';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import { tokensPerPrice } from '../../protocol/pricing/token-prices.ts';
import type { Route } from '../call/types.ts';
import type { PricedToken, PriceList } from '../metering/price-list.ts';

/**
 * The answer of `GET /v1/models`: OpenAI's list with prices. From `id` and `pricing` of its elements the rows of the price
 * table can be made, and from them the price root (docs/PROTOCOL.md, "Price table").
 */
export interface ModelsAnswer {
  object: 'list';
  data: readonly object[];
  price_root: Hex;
  /** The tokens that calls can be paid in, the default first; with its present price where rows are in US dollars. */
  tokens: readonly object[];
}

/**
 * @param options.routes by the name that clients ask for
 * @returns what makes the answer, with the prices of the moment
 */
export function describeModels(options: {
  routes: ReadonlyMap<string, Route>;
  prices: Pick<PriceList, 'root' | 'tokens' | 'conversionOf'>;
  /** The models that may answer in a route's place. */
  answeredBy: (route: Route) => readonly string[];
  nowMs: () => number;
}): () => ModelsAnswer {
  const { answeredBy, routes, prices, nowMs } = options;
  // OpenAI's clients expect a time for each model.
  const createdSeconds = Math.floor(nowMs() / 1_000);
  const byAddress = new Map(prices.tokens.map((token) => [token.address, token]));
  const price = (rows: readonly PriceRow[]) => rows.map((row) => describeRow(row, byAddress.get(row.token)));
  const data = [...routes.values()].flatMap((route) => {
    const described = {
      id: route.model,
      object: 'model',
      created: createdSeconds,
      owned_by: 'autopay',
      context_tokens: route.contextTokens,
      max_output_tokens: route.maxOutputTokens,
      default_max_output_tokens: route.defaultMaxOutputTokens,
      free: route.prices === null,
      // A receipt may be for one of these instead, at that one's price.
      answered_by: answeredBy(route),
      pricing: price(route.prices ?? []),
    };
    const { cache } = route;
    if (!cache) return [described];
    // Not to be asked for by this name: what it costs if the answer is there already.
    return [
      described,
      { ...described, id: cache.model, cache_of: route.model, answered_by: [], pricing: price(cache.prices) },
    ];
  });
  return () => ({
    object: 'list',
    data,
    price_root: prices.root,
    tokens: prices.tokens.map((token) => describeToken(token, prices.conversionOf(token, nowMs()))),
  });
}

/** Amounts are decimal strings: atomic units of the token, or, `in_usd`, US dollars with 8 decimals. */
function describeRow(row: PriceRow, token: PricedToken | undefined): object {
  return {
    token: row.token,
    symbol: token?.symbol,
    decimals: token?.decimals,
    in_usd: row.inUsd,
    per_tokens: Number(tokensPerPrice),
    prompt: String(row.prompt),
    cached_prompt: String(row.cachedPrompt),
    cache_write: String(row.cacheWrite),
    audio_prompt: String(row.audioPrompt),
    completion: String(row.completion),
    audio_completion: String(row.audioCompletion),
    request: String(row.request),
  };
}

function describeToken(
  { symbol, address, decimals }: PricedToken,
  conversion: ReturnType<PriceList['conversionOf']>,
): object {
  const token = { symbol, address, decimals };
  if (conversion === null) return token;
  if (conversion === undefined) return { ...token, usd_price: null };
  const { answer, decimals: answerDecimals, roundId, updatedAt } = conversion.round;
  const price = { answer: String(answer), decimals: answerDecimals, round_id: String(roundId), updated_at: updatedAt };
  return { ...token, usd_price: price };
}
