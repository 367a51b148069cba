import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

/** What a sidecar answers itself, or passes on. */
export type SidecarAnswer = 'forward' | 'health' | 'wallet' | 'openapi' | 'docs';

/** A route of the sidecar; `sidecar-openapi.ts` describes each of them. */
export interface SidecarRoute {
  method: 'GET' | 'POST';
  /** As OpenAPI writes it. */
  path: string;
  answer: SidecarAnswer;
  /** Served without the token: it tells nothing of the wallet, and spends nothing. */
  isOpen: boolean;
}

/** Everything else under `/v1/`, however deep; OpenAPI has no way to write that. */
export const otherPath = '/v1/{path}';

/** The routes of a sidecar, all of them: what is not here is not served. */
export const sidecarRoutes = [
  { method: 'POST', path: '/v1/chat/completions', answer: 'forward', isOpen: false },
  { method: 'GET', path: '/v1/models', answer: 'forward', isOpen: false },
  { method: 'GET', path: otherPath, answer: 'forward', isOpen: false },
  { method: 'POST', path: otherPath, answer: 'forward', isOpen: false },
  { method: 'GET', path: '/wallet', answer: 'wallet', isOpen: false },
  // For whoever watches over the process, who has no token.
  { method: 'GET', path: '/healthz', answer: 'health', isOpen: true },
  // A browser that opens a page cannot send a token with it.
  { method: 'GET', path: '/openapi.json', answer: 'openapi', isOpen: true },
  { method: 'GET', path: '/docs', answer: 'docs', isOpen: true },
  { method: 'GET', path: '/docs/{asset}', answer: 'docs', isOpen: true },
] as const satisfies readonly SidecarRoute[];

/**
 * The route of a request.
 * @param path as it came, without its query: a path that is only after resolving its dots one of the sidecar's own is none.
 * @throws AutoPayError `not_found`, `method_not_allowed`.
 */
export function findRoute(method: string | undefined, path: string): SidecarRoute {
  const exact = sidecarRoutes.filter((route) => route.path === path);
  const fitting = [...exact, ...sidecarRoutes.filter((route) => fits(route.path, path))];
  const found = fitting.find((route) => route.method === method);
  if (found) return found;
  if (fitting.length > 0) {
    const methods = [...new Set(fitting.map((route) => route.method))].toSorted().join(' or ');
    throw new AutoPayError('method_not_allowed', `Use ${methods}.`);
  }
  throw new AutoPayError(
    'not_found',
    'The sidecar serves /v1/*, /wallet, /healthz and /docs only. Ask the relay itself for anything else.',
  );
}

function fits(pattern: string, path: string): boolean {
  if (pattern === otherPath) return path.startsWith('/v1/') && path.length > '/v1/'.length;
  const [start, end] = pattern.split('{asset}');
  return end !== undefined && path.startsWith(start ?? '') && /^[a-z0-9.-]+$/.test(path.slice(start?.length));
}
