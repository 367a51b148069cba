import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** How long the client may take to read the answer. */
const flushTimeoutMs = 1_000;

/**
 * Answers what is no readable request, which no route gets to see: OpenAI's error shape, then the end of the connection. An answer that
 * is on its way is broken off instead: nothing may be mixed into it.
 *
 * @param error of Node's `clientError` event
 * @param options.maxHeaderBytes told to those who sent more
 */
export function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  { maxHeaderBytes }: { maxHeaderBytes: number },
): void {
  // As Node's own handler does.
  const { _httpMessage: current } = socket as { _httpMessage?: ServerResponse | null };
  if (!socket.writable || current?.headersSent) return void socket.destroy(error);
  const { code, message, param, status, type } = describe(error, maxHeaderBytes);
  const body = JSON.stringify({ error: { message, type, param, code } });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? code}`,
    'connection: close',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // Cut at once, what is still on its way would be answered with a reset, and the answer lost (RFC 9112 §9.6).
  setTimeout(() => socket.destroy(), flushTimeoutMs).unref();
}

function describe({ code }: NodeJS.ErrnoException, maxHeaderBytes: number): AutoPayError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    const message = `The headers are longer than the ${maxHeaderBytes} bytes that this relay takes. Send fewer or shorter ones.`;
    return new AutoPayError('headers_too_large', message);
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new AutoPayError('client_too_slow', 'The request did not come fast enough. Send it again, faster.');
  }
  return new AutoPayError('invalid_request', 'This is not a readable HTTP/1.1 request. Mend it, and send it again.');
}
