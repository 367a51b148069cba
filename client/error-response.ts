import type { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

/** OpenAI's error body for an error of the wallet. */
export function errorBody(error: AutoPayError): string {
  const { message, type, param, code, facts } = error;
  return JSON.stringify({ error: { message, type, param, code, ...facts } });
}

/** Headers of such an answer. No client should retry by itself: nothing changes until its owner does something. */
export const errorHeaders = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  'x-should-retry': 'false',
} as const;

/** The wallet's own refusal, in the shape in which the relay would have refused, so that clients need to know one only. */
export function errorResponse(error: AutoPayError): Response {
  return new Response(errorBody(error), { status: error.status, headers: errorHeaders });
}

/** The same answer, which no client retries by itself: a retry would be another call, and another payment. */
export function withoutRetry({ body, status, statusText, headers: given }: Response): Response {
  const headers = new Headers(given);
  headers.set('x-should-retry', 'false');
  return new Response(body, { status, statusText, headers });
}
