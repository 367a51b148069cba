import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { isHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { problemTypes } from '../../protocol/mpp/problem-types.ts';
import { describeError, type Log } from '../log.ts';
import { collectChallenges } from '../payments/admit-payment.ts';
import { CallError } from '../call/call-error.ts';
import type { ChallengeContext, PaymentMethod } from '../payments/payment-method.ts';

/** What an error is answered with. */
export interface SendErrorOptions {
  request: IncomingMessage;
  response: ServerResponse;
  error: unknown;
  /** Whose challenges a 402 carries. */
  payments: readonly PaymentMethod[];
  /** What the call would cost, by token; asked for only where a 402 is sent. */
  quotes?: () => ReadonlyMap<Hex, bigint> | undefined;
  log: Log;
}

const retryAfterSeconds: Partial<Record<AutoPayError['code'], string>> = {
  overloaded: '1',
  chain_unavailable: '5',
  budgets_unknown: '5',
  price_unavailable: '15',
  price_table_unpublished: '60',
  relay_not_authorized: '60',
};

/**
 * The one place that turns an error into an HTTP answer: OpenAI's shape; for requests with `Authorization: Payment` the
 * members of a problem (RFC 9457) beside it. An upstream's refusal keeps its status and words. What is not an AutoPayError
 * is logged and called `internal_error`.
 * After the first byte of an answer nothing can be said any more, so the connection is broken off.
 */
export function sendError(options: SendErrorOptions): void {
  const { request, response, log } = options;
  const error = toPublic(options.error);
  if (error.status >= 500) {
    const callId = response.getHeader('x-autopay-call-id');
    log.error({ callId, path: request.url?.split('?')[0], error: describeError(options.error) }, 'request failed');
  }
  if (response.headersSent || response.destroyed) return void response.destroy();

  const challenge = error.status === 402 ? collectChallenges(options.payments, readContext(options)) : undefined;
  const isPayment = /^payment(?:\s|$)/i.test(request.headers.authorization ?? '');
  const { code, message, param, type, status } = error;
  const { headers, refusal } = error instanceof CallError ? error : { headers: {}, refusal: null };
  const problem = {
    type: problemTypes[code] ?? 'about:blank',
    title: STATUS_CODES[status] ?? code,
    status,
    detail: message,
  };
  const body = Buffer.from(
    JSON.stringify({
      ...(isPayment && problem),
      error: { ...(refusal?.error ?? { message, type, param, code }), ...challenge?.facts, ...error.facts },
    }),
  );
  const retryAfter = retryAfterSeconds[code];
  response.writeHead(status, {
    ...challenge?.headers,
    ...headers,
    ...(status === 402 && { 'cache-control': 'no-store' }),
    ...(mustNotBeRetried(error) && { 'x-should-retry': 'false' }),
    ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
    'content-type': isPayment ? 'application/problem+json' : 'application/json',
    'content-length': body.length,
  });
  response.end(body);
}

function toPublic(error: unknown): AutoPayError {
  if (error instanceof AutoPayError) return error;
  return new AutoPayError('internal_error', 'The relay failed; its log says why. Try again.');
}

/** Each would fail again in the same way, and what was charged would be charged again. */
const notRetried: AutoPayError['code'][] = [
  'upstream_truncated',
  'answer_too_long',
  'call_timeout',
  'client_too_slow',
  'model_budget_exceeded',
];

/** A repeated request would carry the same voucher, pay for the same failure again, or meet the same limit until the next day. */
function mustNotBeRetried({ code, status }: AutoPayError): boolean {
  return status === 402 || status === 409 || status === 410 || notRetried.includes(code);
}

/** A refused payment names its token, and may name a quote that was shrunk to its headroom. */
function readContext({ error, quotes }: SendErrorOptions): ChallengeContext {
  const { token, quote } = error instanceof AutoPayError ? error.facts : {};
  const listed = quotes?.();
  if (!isHex(token, 20)) return { quotes: listed };
  return { quotes: typeof quote === 'string' ? new Map([...(listed ?? []), [token, BigInt(quote)]]) : listed, token };
}
