import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { withoutRetry } from './error-response.ts';
import type { Wallet, WalletOptions } from './open-wallet.ts';
import { maxErrorBytes } from './read-error-body.ts';
import { sendRequest, type PreparedRequest } from './send-request.ts';

/** Sent once, and so often again. */
const maxAttempts = 5;
const firstPauseMs = 200;
/** No relay makes the wallet wait longer between two attempts. */
const maxPauseMs = 10_000;

/** For so long a call waits for its channel's deposit to count. */
const defaultConfirmationWaitMs = 300_000;

/** What gateways answer by themselves where the relay is slow or away. */
const gatewayStatuses = new Set([502, 503, 504]);

/**
 * Refusals after which the same payment is good for the same request later: its settlement is under way, or the first of two
 * identical requests still runs.
 */
const retriedCodes = new Set(['settlement_pending', 'idempotent_repeat']);
/** So it is while the deposit does not count yet, which takes as long as the relay's chain needs. */
const waitedCode = 'channel_not_confirmed';

/** An answer to a request that was sent with a payment. */
export interface PaidAnswer {
  /** Read whole, unless it is a stream of events. */
  response: Response;
  /**
   * The relay may have served and charged the call all the same: an earlier attempt got no answer of it, or it still says that it is not
   * ready. A refusal then decides nothing, and has `x-should-retry: false`: a client's own retry would pay for a second call.
   */
  mayBeCharged: boolean;
}

/**
 * The request with an Idempotency-Key, under which the relay makes one call and one charge: its own; that of the call which it repeats,
 * where its caller did not wait for that one; or a new one.
 * @returns `mayBeReplay`: what is replayed under it may be the answer to an earlier request.
 */
export function withIdempotencyKey(
  { abandoned }: Pick<Wallet, 'abandoned'>,
  request: PreparedRequest,
): { paid: PreparedRequest; mayBeReplay: boolean } {
  if (request.headers.has('idempotency-key')) return { paid: request, mayBeReplay: true };
  const earlier = abandoned.take(request);
  const headers = new Headers(request.headers);
  headers.set('idempotency-key', earlier ?? randomUUID());
  return { paid: { ...request, headers }, mayBeReplay: earlier !== undefined };
}

/** What of a wallet sending takes. */
type Sender = Pick<Wallet, 'abandoned' | 'fetch' | 'warn'> & { options: Pick<WalletOptions, 'confirmationWaitMs'> };

/**
 * Sends a request with a payment. Where the answer is lost (or a gateway answers in the relay's place), or the relay says that it is not
 * ready, exactly the same is sent again: the same Idempotency-Key, body and payment, so that it is paid once however often it arrives. A
 * stream that breaks off in the middle is not begun anew, because its events are with the caller already. While the channel's deposit lacks
 * confirmations, the call waits, and the owner is told; after `confirmationWaitMs` the relay's refusal is the answer.
 * @param request has an Idempotency-Key.
 * @param payment the headers that pay.
 * @throws AutoPayError `upstream_unreachable` after the last attempt: not a network error, which clients would answer by a new
 *   call, and so by a second payment. What `fetch` rejects with if the caller gave up.
 */
export async function sendPaid(
  wallet: Sender,
  request: PreparedRequest,
  payment: Readonly<Record<string, string>>,
): Promise<PaidAnswer> {
  try {
    return await sendRepeatedly(wallet, request, payment);
  } catch (error) {
    if (request.signal.aborted) wallet.abandoned.note(request);
    throw error;
  }
}

async function sendRepeatedly(
  wallet: Sender,
  request: PreparedRequest,
  payment: Readonly<Record<string, string>>,
): Promise<PaidAnswer> {
  const { confirmationWaitMs = defaultConfirmationWaitMs } = wallet.options;
  const waitUntilMs = Date.now() + confirmationWaitMs;
  let isWaiting = false;
  let isLost = false;
  let lastError: unknown;
  for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
    let pauseMs = firstPauseMs * 2 ** (attempt - 1);
    try {
      const response = await readWhole(await sendRequest(wallet, request, payment));
      const retry = await readRetry(response);
      if (retry === undefined) return endWith(response, isLost);
      pauseMs = Math.max(pauseMs, retry.afterMs);
      if (retry.code === waitedCode) {
        if (Date.now() + pauseMs > waitUntilMs) return { response: withoutRetry(response), mayBeCharged: isLost };
        const mostSeconds = Math.ceil(confirmationWaitMs / 1_000);
        const remedy = `The call waits for it, for ${mostSeconds} s at most; nothing is signed or deposited anew.`;
        if (!isWaiting)
          wallet.warn(`The channel's deposit has not the confirmations yet that the relay asks for. ${remedy}`);
        isWaiting = true;
        // It is no failed attempt.
        attempt -= 1;
      } else if (retry.code === undefined) {
        isLost = true;
        lastError = new Error(`status ${response.status}, not by the relay`);
      } else if (attempt === maxAttempts) return endWith(response, true);
    } catch (error) {
      if (request.signal.aborted || error instanceof AutoPayError) throw error;
      isLost = true;
      lastError = error;
    }
    // Spread out, so that calls that were lost together do not come back together.
    if (attempt < maxAttempts) {
      const spreadMs = Math.min(pauseMs, maxPauseMs) * (1 + Math.random() / 4);
      await delay(spreadMs, undefined, { signal: request.signal });
    }
  }
  const key = request.headers.get('idempotency-key') ?? '';
  throw new AutoPayError(
    'upstream_unreachable',
    `The relay did not answer a paid call, ${maxAttempts} times. It may have been served and charged: send the same request with the ` +
      `Idempotency-Key ${key} to get its answer without paying again.`,
    { facts: { idempotencyKey: key }, cause: lastError },
  );
}

/** A connection that breaks within the body loses the answer as well. */
async function readWhole(response: Response): Promise<Response> {
  const { status, statusText, headers, body } = response;
  if (body === null || headers.get('content-type')?.startsWith('text/event-stream')) return response;
  return new Response((await response.bytes()) as Uint8Array<ArrayBuffer>, { status, statusText, headers });
}

function endWith(response: Response, mayBeCharged: boolean): PaidAnswer {
  return { response: mayBeCharged && !response.ok ? withoutRetry(response) : response, mayBeCharged };
}

/**
 * Whether and when the same should be sent again.
 * @returns undefined if not; `code` is undefined if the answer is not the relay's own: it has no error as relays and sellers write it.
 */
async function readRetry(response: Response): Promise<{ afterMs: number; code: string | undefined } | undefined> {
  const { status, headers } = response;
  if (!gatewayStatuses.has(status) && status !== 409) return undefined;
  const text = await response.clone().text();
  const error = text.length > maxErrorBytes ? undefined : errorIn(text);
  const code = typeof error?.code === 'string' ? error.code : undefined;
  const isOwn = status === 409 || error !== undefined || headers.has('x-autopay-call-id');
  if (isOwn && (code === undefined || (!retriedCodes.has(code) && code !== waitedCode))) return undefined;
  const seconds = Number(headers.get('retry-after') ?? 0);
  return { code, afterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 0 };
}

function errorIn(text: string): { code?: unknown } | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === 'object' && error !== null ? error : undefined;
  } catch {
    return undefined;
  }
}
