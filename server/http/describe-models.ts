import type { Hex } from '../../protocol/bytes/hex.ts';
import type { Route } from '../call/types.ts';
import type { PriceTable } from '../metering/price-table.ts';

/** The answer of `GET /v1/models`: OpenAI's list with prices. From `id` and `pricing` the price root can be recomputed. */
export interface ModelsAnswer {
  object: 'list';
  data: readonly object[];
  price_root: Hex;
}

/**
 * @param options.routes by the name that clients ask for
 * @param options.createdSeconds Unix seconds; OpenAI's clients expect one for each model
 */
export function describeModels(options: {
  routes: ReadonlyMap<string, Route>;
  prices: PriceTable;
  createdSeconds: number;
}): ModelsAnswer {
  const { routes, prices, createdSeconds } = options;
  const data = prices.rows.map(({ id, pricing }) => {
    const route = routes.get(id);
    return {
      id,
      object: 'model',
      created: createdSeconds,
      owned_by: 'autopay',
      context_tokens: route?.contextTokens,
      max_output_tokens: route?.maxOutputTokens,
      default_max_output_tokens: route?.defaultMaxOutputTokens,
      free: route?.prices === null,
      pricing,
    };
  });
  return { object: 'list', data, price_root: prices.root };
}
