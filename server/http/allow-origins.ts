import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * What scripts of web pages may read of an answer. The wildcard covers what later methods of payment add; the names are for
 * those who do not know it.
 */
const exposed = [
  '*',
  'WWW-Authenticate, Payment-Receipt, PAYMENT-REQUIRED, PAYMENT-RESPONSE, X-PAYMENT-RESPONSE',
  'X-Autopay-Call-Id, X-Autopay-Receipt, X-Autopay-Output-Limit, X-Autopay-Error-Code, X-Request-Id',
  'X-Autopay-Route, X-Autopay-Deployment, X-Autopay-Rule, X-Autopay-Fallbacks, X-Autopay-Attempts, X-Autopay-Retries, X-Autopay-Cost',
  'Idempotent-Replayed, Retry-After, X-Should-Retry',
].join(', ');

const maxAskedCharacters = 2_048;

/**
 * Lets web pages of any origin call the relay (Fetch standard, "CORS protocol"): payments are in headers that a page sets itself,
 * never in cookies. Costs nothing where no browser asks.
 */
export function allowOrigins(request: IncomingMessage, response: ServerResponse): void {
  if (request.headers.origin === undefined) return;
  response.setHeader('access-control-allow-origin', '*');
  response.setHeader('access-control-expose-headers', exposed);
}

/** Answers a preflight: any header may be sent, since each method of payment has its own. */
export function answerPreflight(request: IncomingMessage, response: ServerResponse): void {
  allowOrigins(request, response);
  const { 'access-control-request-headers': asked } = request.headers;
  response.writeHead(204, {
    'access-control-allow-methods': 'GET, HEAD, POST, PATCH, DELETE',
    // "*" would leave Authorization out.
    ...(asked !== undefined && asked.length <= maxAskedCharacters && { 'access-control-allow-headers': asked }),
    'access-control-max-age': '7200',
    vary: 'Access-Control-Request-Headers',
  });
  response.end();
}
