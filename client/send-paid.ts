import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { Wallet } from './open-wallet.ts';
import { sendRequest, type PreparedRequest } from './send-request.ts';

/** Sent once, and so often again. */
const maxAttempts = 5;
const firstPauseMs = 200;
/** No relay makes the wallet wait longer between two attempts. */
const maxPauseMs = 10_000;
/** Error bodies are short; what is longer is handed on as it is. */
const maxErrorBytes = 262_144;

/**
 * Refusals after which the same payment is good for the same request later: its settlement is under way, the first of two
 * identical requests still runs, or the deposit does not count yet.
 */
const retriedCodes = new Set(['settlement_pending', 'idempotent_repeat', 'channel_not_confirmed']);

/** An answer to a request that was sent with a payment. */
export interface PaidAnswer {
  /** Read whole, unless it is a stream of events. */
  response: Response;
  /** An earlier attempt got no answer: the relay may have served and charged it. */
  wasLost: boolean;
}

/** The request with an Idempotency-Key: its own, or a new one, under which the relay makes one call and one charge. */
export function withIdempotencyKey(request: PreparedRequest): { paid: PreparedRequest; isOwnKey: boolean } {
  if (request.headers.has('idempotency-key')) return { paid: request, isOwnKey: true };
  const headers = new Headers(request.headers);
  headers.set('idempotency-key', randomUUID());
  return { paid: { ...request, headers }, isOwnKey: false };
}

/**
 * Sends a request with a payment. Where the answer is lost, or the relay says that it is not ready, exactly the same is sent again:
 * the same Idempotency-Key, body and payment, so that it is paid once however often it arrives. A stream that breaks off in the
 * middle is not begun anew, because its events are with the caller already.
 * @param request has an Idempotency-Key.
 * @throws AutoPayError `upstream_unreachable` after the last attempt: not a network error, which clients would answer by a new
 *   call, and so by a second payment. What `fetch` rejects with if the caller gave up.
 */
export async function sendPaid(wallet: Wallet, request: PreparedRequest, credential: string): Promise<PaidAnswer> {
  let wasLost = false;
  let lastError: unknown;
  for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
    let pauseMs = firstPauseMs * 2 ** (attempt - 1);
    try {
      const response = await readWhole(await sendRequest(wallet, request, credential));
      const retry = attempt < maxAttempts ? await readRetry(response) : undefined;
      if (retry === undefined) return { response, wasLost };
      pauseMs = Math.max(pauseMs, retry.afterMs);
    } catch (error) {
      if (request.signal.aborted || error instanceof AutoPayError) throw error;
      wasLost = true;
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

/** Whether and when the same should be sent again. */
async function readRetry(response: Response): Promise<{ afterMs: number } | undefined> {
  if (response.status !== 503 && response.status !== 409) return undefined;
  const text = await response.clone().text();
  if (text.length > maxErrorBytes || !retriedCodes.has(codeOf(text) ?? '')) return undefined;
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  return { afterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 0 };
}

function codeOf(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown } };
    return typeof error?.code === 'string' ? error.code : undefined;
  } catch {
    return undefined;
  }
}
