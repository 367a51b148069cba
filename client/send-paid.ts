import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { withoutRetry } from './error-response.ts';
import type { Wallet, WalletOptions } from './open-wallet.ts';
import { sendRequest, type PreparedRequest } from './send-request.ts';

/** Sent once, and so often again. */
const maxAttempts = 5;
const firstPauseMs = 200;
/** No relay makes the wallet wait longer between two attempts. */
const maxPauseMs = 10_000;
/** Error bodies are short; what is longer is handed on as it is. */
const maxErrorBytes = 262_144;

/** For so long a call waits for its channel's deposit to count. */
const defaultConfirmationWaitMs = 300_000;

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
 * middle is not begun anew, because its events are with the caller already. While the channel's deposit lacks confirmations, the
 * call waits, and the owner is told; after `confirmationWaitMs` the relay's refusal is the answer.
 * @param request has an Idempotency-Key.
 * @param payment the headers that pay.
 * @throws AutoPayError `upstream_unreachable` after the last attempt: not a network error, which clients would answer by a new
 *   call, and so by a second payment. What `fetch` rejects with if the caller gave up.
 */
export async function sendPaid(
  wallet: Pick<Wallet, 'fetch' | 'warn'> & { options: Pick<WalletOptions, 'confirmationWaitMs'> },
  request: PreparedRequest,
  payment: Readonly<Record<string, string>>,
): Promise<PaidAnswer> {
  const { confirmationWaitMs = defaultConfirmationWaitMs } = wallet.options;
  const waitUntilMs = Date.now() + confirmationWaitMs;
  let isWaiting = false;
  let wasLost = false;
  let lastError: unknown;
  for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
    let pauseMs = firstPauseMs * 2 ** (attempt - 1);
    try {
      const response = await readWhole(await sendRequest(wallet, request, payment));
      const retry = await readRetry(response);
      if (retry === undefined) return { response, wasLost };
      pauseMs = Math.max(pauseMs, retry.afterMs);
      if (retry.code === waitedCode) {
        if (Date.now() + pauseMs > waitUntilMs) return { response: withoutRetry(response), wasLost };
        const mostSeconds = Math.ceil(confirmationWaitMs / 1_000);
        const remedy = `The call waits for it, for ${mostSeconds} s at most; nothing is signed or deposited anew.`;
        if (!isWaiting)
          wallet.warn(`The channel's deposit has not the confirmations yet that the relay asks for. ${remedy}`);
        isWaiting = true;
        // It is no failed attempt.
        attempt -= 1;
      } else if (attempt === maxAttempts) return { response, wasLost };
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
async function readRetry(response: Response): Promise<{ afterMs: number; code: string } | undefined> {
  if (response.status !== 503 && response.status !== 409) return undefined;
  const text = await response.clone().text();
  const code = text.length > maxErrorBytes ? '' : (codeOf(text) ?? '');
  if (!retriedCodes.has(code) && code !== waitedCode) return undefined;
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  return { code, afterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 0 };
}

function codeOf(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown } };
    return typeof error?.code === 'string' ? error.code : undefined;
  } catch {
    return undefined;
  }
}
