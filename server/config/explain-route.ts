import { usdDecimals } from '../../protocol/pricing/token-prices.ts';
import { chooseAuto } from '../routing/choose-auto.ts';
import type { RelayConfig, RouteConfig } from './relay-config.ts';

/**
 * What a relay with this configuration does with a model's calls: who answers, in which order, and at what price. Amounts are for
 * 1,000,000 tokens in atomic units, with the decimals of what they are in.
 * @returns undefined if there is no such route
 */
export function explainRoute(config: RelayConfig, model: string) {
  const route = config.routes.find((candidate) => candidate.model === model);
  if (!route) return undefined;
  const { terms } = route;
  return {
    model,
    strategy: terms.strategy,
    isAuto: terms.auto !== null,
    isFree: route.prices === null,
    // What the strategy decides comes after this.
    deployments: route.deployments
      .map(({ id, model: name, provider, terms: { order, weight } }) => {
        const endpoint =
          config.providers.find((one) => one.name === id) ?? config.providers.find((one) => one.name === provider);
        return { id, model: name, baseUrl: endpoint?.baseUrl ?? '', order, weight };
      })
      .toSorted((one, other) => one.order - other.order),
    fallbacks: Object.entries(terms.fallbacks).flatMap(([reason, models]) =>
      models.length > 0 ? [{ reason, models }] : [],
    ),
    rules: config.routing.rules
      .filter(({ when }) => when.models?.includes(model) ?? terms.auto !== null)
      .map(({ name, targets }) => ({ name, targets })),
    cheapest: listCheapest(config, route),
    retries: terms.retries,
    contextTokens: route.contextTokens,
    maxOutputTokens: route.maxOutputTokens,
    defaultMaxOutputTokens: route.defaultMaxOutputTokens,
    prices: (route.prices ?? []).map((row) => ({
      ...unitOf(config, row),
      prompt: row.prompt,
      cachedPrompt: row.cachedPrompt,
      completion: row.completion,
      request: row.request,
    })),
    priceCeiling: ceilingOf(config, route),
  };
}

/** Of a request of a thousand tokens or so that needs nothing: the routes that `auto` takes, the cheapest first. */
function listCheapest({ routes }: RelayConfig, { terms: { auto } }: RouteConfig): string[] {
  if (auto === null) return [];
  const ask = { needs: {}, tiers: [], features: { tags: [] }, asked: plainRequest, bodyBytes: plainBytes };
  const found = chooseAuto({ ...ask, auto, routes: new Map(routes.map((route) => [route.model, route])) });
  return found.map(({ route }) => route.model);
}

const plainRequest = { choices: 1, outputLimit: null, textOnly: true };
const plainBytes = 4_000;

/** What a row is paid in, and what its amounts are in: the token, or US dollars that an oracle converts. */
function unitOf({ tokens }: RelayConfig, row: { token: string; inUsd: boolean }) {
  const token = tokens.find(({ address }) => address === row.token);
  const paidIn = token?.symbol ?? row.token;
  return {
    paidIn,
    unit:
      row.inUsd || !token
        ? { symbol: 'USD', decimals: usdDecimals }
        : { symbol: token.symbol, decimals: token.decimals },
  };
}

function ceilingOf({ tokens }: RelayConfig, { terms: { priceCeiling } }: RouteConfig) {
  const token = priceCeiling && tokens.find(({ address }) => address === priceCeiling.token);
  return token
    ? { perMillion: priceCeiling.perMillion, unit: { symbol: token.symbol, decimals: token.decimals } }
    : null;
}
