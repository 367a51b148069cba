import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { boundCall, type QuoteInput } from '../metering/quote-call.ts';
import type { Endpoint, ModelRequest } from './endpoints/endpoint.ts';
import { endpointOf } from './endpoints/list-endpoints.ts';
import { refuseTooLong } from './refuse-too-long.ts';
import type { ChosenRoute, RouteChoice } from './route-choice.ts';
import type { CallDeps, CallRequest, Deployment, Route } from './types.ts';

/** A request, as far as its price depends on it. */
export type CallAsk = Pick<CallRequest, 'body' | 'headers' | 'path'>;

/** A route that may answer a call, and what bounds the call's cost there. */
export interface CallOption extends ChosenRoute {
  quoteInput: QuoteInput;
}

/** A request that is understood: what is asked, what may answer it, and what bounds its cost. */
export interface PreparedCall {
  endpoint: Endpoint;
  asked: ModelRequest;
  /** The first is asked first. */
  options: readonly [CallOption, ...CallOption[]];
  /** The route that is asked first. */
  route: Route;
  /** The rule that chose it; null if none did. */
  rule: string | null;
}

/**
 * Reads, routes and bounds a request; decides nothing yet.
 * @throws AutoPayError as Endpoint.parse and ChooseRoutes.
 */
export function prepareCall(
  deps: Pick<CallDeps, 'limits' | 'chooseRoutes'>,
  { body, headers, path }: CallAsk,
): PreparedCall {
  const endpoint = endpointOf(path);
  const asked = endpoint.parse(body);
  const { routes, rule }: RouteChoice = deps.chooseRoutes({ asked, headers, bodyBytes: body.length });
  const [first, ...others] = searching(asked, servingAt(path, routes));
  const boundTo = (chosen: ChosenRoute): CallOption => ({ ...chosen, quoteInput: inputOf(chosen.route, asked, body) });
  const options: PreparedCall['options'] = [boundTo(first), ...others.map(boundTo)];
  for (const { quoteInput, route } of options) {
    const { outputTokens } = boundCall(quoteInput);
    const { maxResponseBytes } = deps.limits;
    const { embeddingDimensions } = route;
    const repeats = endpoint.stream?.repeats ?? 1;
    refuseTooLong(asked, { outputTokens, maxResponseBytes, repeats, embeddingDimensions });
  }
  return { endpoint, asked, options, route: first.route, rule };
}

/**
 * The routes with those of their deployments that have the endpoint; fallbacks without one are left out.
 * @throws AutoPayError `model_not_found` if the first has none
 */
function servingAt(path: string, routes: RouteChoice['routes']): RouteChoice['routes'] {
  const hasEndpoint = ({ quirks }: Deployment) => quirks?.endpoints?.includes(path) ?? true;
  const [first, ...others] = routes.map((chosen): ChosenRoute => {
    if (chosen.deployments.every(hasEndpoint)) return chosen;
    return { ...chosen, deployments: chosen.deployments.filter(hasEndpoint) };
  });
  if (first && first.deployments.length > 0) {
    return [first, ...others.filter(({ deployments }) => deployments.length > 0)];
  }
  const [{ deployments, route }] = routes;
  const paths = new Set(deployments.flatMap(({ quirks }) => quirks?.endpoints ?? []));
  const message = `"${route.model}" does not answer at ${path}, but at ${[...paths].join(', ')}.`;
  throw new AutoPayError('model_not_found', message, { param: 'model' });
}

/**
 * The routes that sell a search, where the request asks for one; fallbacks that do not are left out.
 * @throws AutoPayError `unsupported_parameter` if the first does not
 */
function searching({ search }: ModelRequest, routes: RouteChoice['routes']): RouteChoice['routes'] {
  if (search === undefined) return routes;
  const [first, ...others] = routes;
  if (first.route.search === true) return [first, ...others.filter(({ route }) => route.search === true)];
  const message = `"${search}" is not supported by "${first.route.model}": no price of it covers a search. Leave it out.`;
  throw new AutoPayError('unsupported_parameter', message, { param: search });
}

function inputOf(route: Route, asked: ModelRequest, body: Buffer): QuoteInput {
  return {
    bodyBytes: body.length + asked.overheadTokens,
    countedTokens: null,
    textOnly: asked.textOnly,
    choices: asked.choices,
    requestedOutputTokens: asked.outputLimit?.tokens ?? null,
    contextTokens: route.contextTokens * asked.inputs,
    maxOutputTokens: route.maxOutputTokens,
    defaultMaxOutputTokens: route.defaultMaxOutputTokens,
  };
}
