import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { isHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { intentOf, paymentAuthorization } from '../../protocol/mpp/credential.ts';
import { problemTypeOf } from '../../protocol/mpp/problem-types.ts';
import { describeError, type Log } from '../log.ts';
import { CallError } from '../call/call-error.ts';
import { chatCompletions } from '../call/endpoints/chat-completions.ts';
import { findEndpoint } from '../call/endpoints/list-endpoints.ts';
import { collectChallenges, type Offer } from '../payments/collect-challenges.ts';
import type { ChallengeContext, PaymentMethod } from '../payments/payment-method.ts';
import { breakOff } from './create-response-sink.ts';
import { headersOf, pathOf } from './read-headers.ts';

/** What an error is answered with. */
export interface SendErrorOptions {
  request: IncomingMessage;
  response: ServerResponse;
  /** The call that failed, unless a header of the answer says it already. */
  callId?: string;
  error: unknown;
  /** Whose challenges a 402 carries. */
  payments: readonly PaymentMethod[];
  /** What the call would cost, by token; asked for only where a 402 is sent. */
  quotes?: () => ReadonlyMap<Hex, bigint> | undefined;
  /** The same on one of several chains. */
  quotesOn?: (chainId: number) => ReadonlyMap<Hex, bigint> | undefined;
  log: Log;
}

const retryAfterSeconds: Partial<Record<AutoPayError['code'], string>> = {
  overloaded: '1',
  chain_unavailable: '5',
  budgets_unknown: '5',
  price_unavailable: '15',
  price_table_unpublished: '60',
  relay_not_authorized: '60',
  settlement_pending: '5',
  transaction_pending: '5',
  idempotent_repeat: '5',
};

/**
 * The one place that turns an error into an HTTP answer: the endpoint's shape, else OpenAI's; for requests with a `Payment` credential the
 * members of a problem (RFC 9457) beside it, where the shape has none of that name; with 402 what each method of payment offers. An upstream's refusal keeps its status and words. What is not an AutoPayError
 * is logged and called `internal_error`.
 * After the first byte of an answer nothing can be said any more, so the connection is broken off.
 */
export function sendError(options: SendErrorOptions): void {
  const { request, response, log } = options;
  const error = toPublic(options.error);
  const { callId = response.getHeader('x-autopay-call-id') } = options;
  if (error.status >= 500) {
    log.error({ callId, path: pathOf(request), error: describeError(options.error) }, 'request failed');
  }
  if (response.headersSent || response.destroyed) return breakOff(response);

  // Set, not written: should the head below be refused, the error that is sent instead has it too.
  if (callId !== undefined) response.setHeader('x-autopay-call-id', callId);
  const offer = error.status === 402 ? offerPayment(options, error) : undefined;
  const isPayment = paymentAuthorization(headersOf(request)) !== undefined;
  const { code, message, param, type, status } = error;
  const { headers, refusal } = error instanceof CallError ? error : { headers: {}, refusal: null };
  const problem = {
    type: problemTypeOf(code, intentOf(headersOf(request))),
    title: STATUS_CODES[status] ?? code,
    status,
    detail: message,
  };
  const { writeError } = findEndpoint(pathOf(request)) ?? chatCompletions;
  const told = refusal?.error ?? { message, type, param, code };
  const written = writeError(told, { status, facts: { ...offer?.facts, ...error.facts } });
  const body = Buffer.from(JSON.stringify({ ...offer?.body, ...(isPayment && problem), ...written }));
  const retryAfter = waitOf(error) ?? retryAfterSeconds[code];
  response.writeHead(status, {
    ...offer?.headers,
    ...headers,
    ...(status === 402 && { 'cache-control': 'no-store' }),
    ...(retried.includes(code)
      ? { 'x-should-retry': 'true' }
      : mustNotBeRetried(error) && { 'x-should-retry': 'false' }),
    ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
    // There is no body to read it from.
    ...(request.method === 'HEAD' && { 'x-autopay-error-code': code }),
    'content-type': isPayment ? 'application/problem+json' : 'application/json',
    'content-length': body.length,
  });
  response.end(body);
}

/** Seconds, where the error itself knows when its reason ends. */
function waitOf({ facts: { resetsAt, retryAfterSeconds: waitSeconds }, status }: AutoPayError): string | undefined {
  if (typeof waitSeconds === 'number') return String(Math.ceil(waitSeconds));
  if (status !== 429 || typeof resetsAt !== 'string') return undefined;
  return String(Math.max(1, Math.ceil((Date.parse(resetsAt) - Date.now()) / 1_000)));
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
  'scope_exceeded',
  // A client's own retry would sign, and pay, anew; the same payment may be sent again by whoever knows that.
  'settlement_pending',
];

/** Nothing was used up, and the same request succeeds once the chain is further. */
const retried: AutoPayError['code'][] = ['channel_not_confirmed'];

const finalStatuses = [402, 409, 410, 422];

/** A repeated request would carry the same voucher, pay for the same failure again, or meet the same limit until the next day. */
function mustNotBeRetried({ code, status }: AutoPayError): boolean {
  return finalStatuses.includes(status) || notRetried.includes(code);
}

function offerPayment({ payments, quotes, quotesOn, request }: SendErrorOptions, error: AutoPayError): Offer {
  const context: ChallengeContext = {
    ...(quotesOn ? readRefusalOn(error, quotesOn) : readRefusal(error, quotes?.())),
    path: pathOf(request),
    message: error.message,
  };
  return collectChallenges(payments, context, headersOf(request)['accept-payment']);
}

/** A refused payment names its token, and may name a quote that was shrunk to its headroom. */
function readRefusal(
  { facts: { token, quote } }: AutoPayError,
  listed: ReadonlyMap<Hex, bigint> | undefined,
): Pick<ChallengeContext, 'quotes' | 'token'> {
  if (!isHex(token, 20)) return { quotes: listed };
  return { quotes: typeof quote === 'string' ? new Map([...(listed ?? []), [token, BigInt(quote)]]) : listed, token };
}

/** The same where calls are paid on several chains: the error names that of its token, unless it is the home chain. */
function readRefusalOn(
  error: AutoPayError,
  quotesOn: NonNullable<SendErrorOptions['quotesOn']>,
): Pick<ChallengeContext, 'quotes' | 'quotesOn' | 'token' | 'chainId'> {
  const { chainId: named } = error.facts;
  const chainId = typeof named === 'number' ? named : undefined;
  if (chainId === undefined) return { quotesOn, quotes: undefined };
  const refused = readRefusal(error, quotesOn(chainId));
  return {
    ...{ chainId, token: refused.token, quotes: undefined },
    quotesOn: (asked) => (asked === chainId ? refused.quotes : quotesOn(asked)),
  };
}
