import type { EvidenceTier } from '../../protocol/receipt/call-receipt.ts';
import type { ModelRequest } from './endpoints/endpoint.ts';
import type { FallbackReason } from './routing-terms.ts';
import type { Deployment, Route } from './types.ts';

/** A request, as far as it decides what answers it. */
export interface RouteAsk {
  asked: ModelRequest;
  bodyBytes: number;
  /** Names in lower case. */
  headers: Readonly<Record<string, string | undefined>>;
}

/** A route that may answer. */
export interface ChosenRoute {
  route: Route;
  /** Those of its deployments that have what the request needs; never none. */
  deployments: readonly Deployment[];
  /** After which failure of the first; null for the first itself. */
  after: FallbackReason | null;
  /** Evidence that its answers must have, each of them; none if omitted. */
  minimumTiers?: readonly EvidenceTier[];
}

/** Which routes may answer a request. */
export interface RouteChoice {
  /** The first is asked first. */
  routes: readonly [ChosenRoute, ...ChosenRoute[]];
  /** The rule that decided; null if none did. */
  rule: string | null;
}

/**
 * Says which routes may answer a request: the one that it asks for, or what a rule or `auto` puts in its place, and then those that
 * it may fall back to. The same request at the same prices always has the same choice: it is quoted before it is paid for.
 * @throws AutoPayError `model_not_found`, `invalid_request` for fallbacks that cannot be
 */
export type ChooseRoutes = (ask: RouteAsk) => RouteChoice;
