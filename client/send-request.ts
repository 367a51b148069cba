import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { Wallet } from './open-wallet.ts';

/** Larger bodies are refused here; a relay's own limit is lower. */
const maxBodyBytes = 33_554_432;

/** A request that can be sent any number of times. */
export interface PreparedRequest {
  url: string;
  /** Default: POST. */
  method?: string;
  headers: Headers;
  /** The exact bytes, to which the receipt commits. */
  body: Uint8Array<ArrayBuffer>;
  signal: AbortSignal;
}

/**
 * Reads a request's body, so that it can be sent again with a payment.
 * @throws AutoPayError `body_too_large`.
 */
export async function prepareRequest(request: Request): Promise<PreparedRequest> {
  const body = new Uint8Array(await request.arrayBuffer());
  if (body.length > maxBodyBytes) {
    throw new AutoPayError('body_too_large', `The request is longer than ${maxBodyBytes} bytes. Send less at once.`);
  }
  const headers = new Headers(request.headers);
  // The client's API key is a placeholder. And the relay commits to bytes as they are sent, not as they would be packed.
  headers.delete('authorization');
  headers.set('accept-encoding', 'identity');
  // A refusal names what to sign; a stream that stops for vouchers would be read by clients that do not know it.
  headers.set('prefer', 'handling=strict');
  return { url: request.url, method: request.method, headers, body, signal: request.signal };
}

/**
 * Sends the request.
 * @param payment headers that pay for it.
 * @throws AutoPayError `redirect_refused`; what `fetch` rejects with if nothing answers.
 */
export async function sendRequest(
  wallet: Pick<Wallet, 'fetch'>,
  request: PreparedRequest,
  payment: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const { url, method = 'POST', body, signal } = request;
  const headers = new Headers(request.headers);
  for (const [name, value] of Object.entries(payment)) headers.set(name, value);
  const isEmpty = method === 'GET' || method === 'HEAD';
  // A redirect could lead a payment elsewhere.
  const init = { method, headers, signal, redirect: 'manual' as const, ...(isEmpty ? {} : { body }) };
  const response = await wallet.fetch(url, init);
  if (response.status < 300 || response.status > 399) return response;
  await response.body?.cancel();
  const target = response.headers.get('location')?.slice(0, 200) ?? 'nowhere';
  throw new AutoPayError(
    'redirect_refused',
    `${new URL(url).origin} redirects this call to ${target}. Payments follow no redirects; if you trust that address, set it as the base URL.`,
  );
}
