import { quoteOfBounds } from '../../protocol/pricing/token-prices.ts';
import type { EvidenceTier } from '../../protocol/receipt/call-receipt.ts';
import { boundCall } from '../metering/quote-call.ts';
import type { ModelRequest } from '../call/endpoints/endpoint.ts';
import type { ChosenRoute } from '../call/route-choice.ts';
import type { RouteTerms, RoutingNeeds } from '../call/routing-terms.ts';
import type { Route } from '../call/types.ts';
import { demandedTiers, matchTags, meetNeeds, meetTiers } from './meet-needs.ts';
import type { RequestFeatures } from './read-features.ts';

/** The cheapest, and so many more for when it fails. */
const maxChosen = 3;

/** What a route is chosen for. */
export interface AutoAsk {
  routes: ReadonlyMap<string, Route>;
  /** What the operator says of the route that stands for others. */
  auto: NonNullable<RouteTerms['auto']>;
  needs: RoutingNeeds;
  /** Evidence that every answer must have. */
  tiers: readonly EvidenceTier[];
  features: Pick<RequestFeatures, 'tags'>;
  asked: Pick<ModelRequest, 'choices' | 'outputLimit' | 'search' | 'textOnly'>;
  bodyBytes: number;
}

/** As a chosen route has it: nothing where nothing is demanded. */
export function demanding(minimumTiers: readonly EvidenceTier[] = []): Pick<ChosenRoute, 'minimumTiers'> {
  return minimumTiers.length === 0 ? {} : { minimumTiers };
}

/**
 * Whether `auto` may choose a route: one that is named, or any that has a price. Nobody who pays asks for what is free, and nobody who
 * does not can buy what is not. It never chooses another that stands for others.
 */
export function mayStandFor(
  { model, prices, terms }: Pick<Route, 'model' | 'prices' | 'terms'>,
  among: readonly string[] | undefined,
): boolean {
  return !terms?.auto && (among === undefined ? prices !== null : among.includes(model));
}

/**
 * The cheapest routes, for this call and at the price that its payer pays, that have a deployment with all that is needed: the
 * cheapest first. Prices in US dollars and in tokens are compared by the first token of the price table, which every route is sold in.
 */
export function chooseAuto(ask: AutoAsk): Omit<ChosenRoute, 'after'>[] {
  const { auto, asked, features, routes } = ask;
  const { among, evidenceTier, ...fixed } = auto;
  const needs: RoutingNeeds = { ...fixed, ...ask.needs };
  const found: (Omit<ChosenRoute, 'after'> & { cost: bigint })[] = [];
  for (const route of routes.values()) {
    if (!mayStandFor(route, among) || (asked.search !== undefined && route.search !== true)) continue;
    const bounds = boundCall({
      bodyBytes: ask.bodyBytes,
      countedTokens: null,
      textOnly: asked.textOnly,
      choices: asked.choices,
      requestedOutputTokens: asked.outputLimit?.tokens ?? null,
      contextTokens: Number.MAX_SAFE_INTEGER,
      maxOutputTokens: route.maxOutputTokens,
      defaultMaxOutputTokens: route.defaultMaxOutputTokens,
    });
    const promptTokens = asked.textOnly ? bounds.promptTokens : 0;
    if (route.contextTokens < Math.max(needs.contextTokens ?? 0, promptTokens)) continue;
    if (asked.outputLimit && route.maxOutputTokens < asked.outputLimit.tokens) continue;
    const minimumTiers = demandedTiers(...ask.tiers, evidenceTier, route.terms?.minimumEvidenceTier);
    const deployments = meetTiers(meetNeeds(matchTags(route.deployments, features.tags), needs), minimumTiers);
    if (deployments.length === 0) continue;
    const [row] = route.prices ?? [];
    const bound = { ...bounds, promptTokens: Math.min(bounds.promptTokens, route.contextTokens) };
    const cost = row ? quoteOfBounds(bound, { prices: row, conversion: null }) : 0n;
    found.push({ route, deployments, cost, minimumTiers });
  }
  found.sort((left, right) => (left.cost < right.cost ? -1 : left.cost > right.cost ? 1 : 0));
  return found
    .slice(0, maxChosen)
    .map(({ deployments, minimumTiers, route }) => ({ route, deployments, ...demanding(minimumTiers) }));
}
