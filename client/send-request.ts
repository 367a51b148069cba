import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import type { Wallet } from './open-wallet.ts';

/** Larger bodies are refused here; a relay's own limit is lower. */
const maxBodyBytes = 33_554_432;

/** A POST to the relay that can be sent any number of times. */
export interface PreparedRequest {
  url: string;
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
  return { url: request.url, headers, body, signal: request.signal };
}

/** Sends the request; `credential` is the value of its Authorization header. */
export function sendRequest(wallet: Wallet, request: PreparedRequest, credential?: string): Promise<Response> {
  const { url, body, signal } = request;
  const headers = new Headers(request.headers);
  if (credential !== undefined) headers.set('authorization', credential);
  // A redirect could lead a voucher elsewhere.
  return wallet.fetch(url, { method: 'POST', headers, body, signal, redirect: 'error' });
}
