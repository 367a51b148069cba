import type { IncomingMessage } from 'node:http';
import type { RequestHeaders } from '../payments/payment-method.ts';

/** The headers of a request, names in lower case, repeated ones joined. */
export function headersOf(request: IncomingMessage): RequestHeaders {
  // Node gives a list for set-cookie only, which no request has a use for.
  return request.headers as RequestHeaders;
}

/** What was asked for, without the query. */
export function pathOf({ url = '/' }: Pick<IncomingMessage, 'url'>): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}
