import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { evidenceTiers, type EvidenceTier } from '../../protocol/receipt/call-receipt.ts';
import type { ModelRequest } from '../call/endpoints/endpoint.ts';
import type { ChooseRoutes, ChosenRoute, RouteAsk } from '../call/route-choice.ts';
import { fallbackReasons, plainRoute, type RoutingNeeds } from '../call/routing-terms.ts';
import type { Route } from '../call/types.ts';
import { chooseAuto, demanding } from './choose-auto.ts';
import { findRule, type Rule } from './compile-rules.ts';
import { demandedTiers, matchTags, meetNeeds, meetTiers } from './meet-needs.ts';
import { readFeatures, type RequestFeatures } from './read-features.ts';

/** Every one is quoted, so that the dearest can be held. */
const maxRoutes = 12;

/** What the choice is made from. */
export interface RoutingTable {
  /** By the name that clients ask for. */
  routes: ReadonlyMap<string, Route>;
  rules: readonly Rule[];
}

/** What is wanted of the routes of one request. */
interface Wanted extends RoutingTable {
  needs: RoutingNeeds;
  /** Evidence that every answer must have, whichever route gives it: what the client states, and what the route that it asks for demands. */
  tiers: readonly EvidenceTier[];
  features: RequestFeatures;
  asked: ModelRequest;
  bodyBytes: number;
}

/**
 * Makes the choice of routes: first match of the rules; `auto`; else the route that was asked for. After it come `fallback_models` of
 * the request and the fallbacks of the route, each once.
 */
export function createRouteChooser(table: RoutingTable): ChooseRoutes {
  return (ask) => {
    const { asked, headers, bodyBytes } = ask;
    const { routes, rules } = table;
    const askedRoute = routes.get(asked.model);
    if (!askedRoute) throw unknownModel(asked.model, 'model');
    // Most requests of most relays: nothing to choose from.
    if (isPlain(askedRoute, table, ask)) {
      return { routes: [{ route: askedRoute, deployments: askedRoute.deployments, after: null }], rule: null };
    }

    const features = readFeatures(asked, headers);
    const isAuto = askedRoute.terms?.auto != null;
    const needs: RoutingNeeds = {
      ...(features.tools && { tools: true }),
      ...(features.images && { vision: true }),
      ...readRegion(headers),
    };
    const tiers = demandedTiers(readStatedTier(headers), askedRoute.terms?.minimumEvidenceTier);
    const wanted: Wanted = { ...table, needs, tiers, features, asked, bodyBytes };
    const rule = findRule(rules, { ...features, model: asked.model, isAuto, headers });
    const starts = rule ? rule.targets.map((name) => required(routes, name)) : [askedRoute];
    // What answers in the place of a rule's first target has to show what that one would, as its fallbacks have to.
    const { auto, minimumEvidenceTier } = starts[0]?.terms ?? plainRoute;
    const inherited = demandedTiers(...tiers, auto?.evidenceTier, minimumEvidenceTier);
    const strict: Wanted = { ...wanted, tiers: inherited };
    const chosen = starts.flatMap((route) =>
      route.terms?.auto ? chooseAuto({ ...strict, auto: route.terms.auto }) : offered(strict, route),
    );
    const [first, ...rest] = chosen;
    if (!first)
      throw unmetNeeds(asked.model, {
        ...needs,
        ...(asked.search !== undefined && { search: true }),
        ...(inherited.length > 0 && { evidence: inherited.join(' and ') }),
      });
    const more = [
      ...rest.map((one) => ({ ...one, after: 'general' as const })),
      ...listFallbacks({ ...wanted, tiers: first.minimumTiers ?? [] }, first.route, askedRoute),
    ];
    return {
      routes: [{ ...first, after: null }, ...withoutRepeats(more, first).slice(0, maxRoutes - 1)],
      rule: rule?.name ?? null,
    };
  };
}

function isPlain(askedRoute: Route, { rules }: RoutingTable, { asked, headers }: RouteAsk): boolean {
  const { auto, fallbacks, minimumEvidenceTier } = askedRoute.terms ?? plainRoute;
  const hasFallbacks =
    asked.fallbackModels.length > 0 || fallbackReasons.some((reason) => fallbacks[reason].length > 0);
  const isRuled = rules.length > 0 || auto !== null || hasFallbacks || minimumEvidenceTier !== undefined;
  if (isRuled || headers['x-autopay-region'] !== undefined || headers['x-autopay-evidence-tier'] !== undefined)
    return false;
  return askedRoute.deployments.every(
    ({ terms }) => !terms || (terms.tools && terms.vision && terms.tags.length === 0),
  );
}

function required(routes: ReadonlyMap<string, Route>, name: string): Route {
  const route = routes.get(name);
  if (!route) throw new AutoPayError('internal_error', `The configuration names "${name}", which is no route.`);
  return route;
}

/** The route with those of its deployments that meet the needs; none if none does. */
function offered({ features, needs, tiers }: Wanted, route: Route): Omit<ChosenRoute, 'after'>[] {
  const minimumTiers = demandedTiers(...tiers, route.terms?.minimumEvidenceTier);
  const deployments = meetTiers(meetNeeds(matchTags(route.deployments, features.tags), needs), minimumTiers);
  return deployments.length === 0 ? [] : [{ route, deployments, ...demanding(minimumTiers) }];
}

/** What the request names first, then what the operator does. */
function listFallbacks(wanted: Wanted, first: Route, askedRoute: Route): ChosenRoute[] {
  const { asked, routes } = wanted;
  const named = asked.fallbackModels.map((name, index) => {
    const param = `fallback_models[${index}]`;
    const route = routes.get(name);
    if (!route) throw unknownModel(name, param);
    if (first.prices === null && route.prices !== null) {
      const message = `"${name.slice(0, 128)}" costs, and "${askedRoute.model}" does not: a free call falls back to free models only.`;
      throw new AutoPayError('invalid_request', message, { param });
    }
    return { route, after: 'general' as const };
  });
  const { fallbacks } = first.terms ?? plainRoute;
  const configured = fallbackReasons.flatMap((after) =>
    fallbacks[after].map((name) => ({ route: required(routes, name), after })),
  );
  return [...named, ...configured].flatMap(({ after, route }) => {
    const auto = route.terms?.auto;
    const found = auto ? chooseAuto({ ...wanted, auto }) : offered(wanted, route);
    return found.map((one) => ({ ...one, after }));
  });
}

/** A route is taken once for each reason, and the first not again. */
function withoutRepeats(more: readonly ChosenRoute[], first: Pick<ChosenRoute, 'route'>): ChosenRoute[] {
  const isRepeat = (one: ChosenRoute, at: number) =>
    one.route === first.route ||
    more.slice(0, at).some(({ after, route }) => route === one.route && after === one.after);
  return more.filter((one, at) => !isRepeat(one, at));
}

/** `x-autopay-region`. */
function readRegion(headers: RouteAsk['headers']): RoutingNeeds {
  const region = headers['x-autopay-region'];
  return region === undefined ? {} : { region: region.trim().slice(0, 64) };
}

/** `x-autopay-evidence-tier`. */
function readStatedTier(headers: RouteAsk['headers']): EvidenceTier | undefined {
  const tier = headers['x-autopay-evidence-tier'];
  const evidenceTier = evidenceTiers.find((name) => name === tier);
  if (tier !== undefined && evidenceTier === undefined) {
    const message = `There is no such evidence tier. There are ${evidenceTiers.join(', ')}.`;
    throw new AutoPayError('invalid_request', message, { param: 'x-autopay-evidence-tier' });
  }
  return evidenceTier;
}

function unknownModel(name: string, param: string): AutoPayError {
  const message = `There is no model "${name.slice(0, 128)}" here. GET /v1/models lists the models.`;
  return new AutoPayError('model_not_found', message, { param });
}

function unmetNeeds(model: string, needs: RoutingNeeds & { evidence?: string; search?: boolean }): AutoPayError {
  const said = Object.entries(needs).map(([need, value]) => `${need}: ${String(value)}`);
  const message = `No deployment of "${model}" has what this request needs (${said.join(', ') || 'its tags'}). Ask for less, or for another model.`;
  return new AutoPayError('model_not_found', message, { param: 'model' });
}
