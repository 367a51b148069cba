import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

/** Headers of one connection, which end here; and the client's API key, which is a placeholder. */
const droppedHeaders = new Set([
  'authorization',
  'connection',
  'content-encoding',
  'content-length',
  'cookie',
  'expect',
  'host',
  'keep-alive',
  'origin',
  'proxy-authorization',
  'proxy-connection',
  'referer',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-api-key',
]);

/** The headers of a request that go on to where it is answered. */
export function forwardedHeaders(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headersDistinct)) {
    if (!droppedHeaders.has(name) && value !== undefined) headers.set(name, value.join(', '));
  }
  return headers;
}

/**
 * Reads a request's body to its end.
 * @throws AutoPayError `body_too_large`; `unsupported_media_type` for a packed one.
 */
export async function readBody(request: IncomingMessage, maxBodyBytes: number): Promise<Buffer<ArrayBuffer>> {
  if (request.headers['content-encoding'] !== undefined) {
    throw new AutoPayError('unsupported_media_type', 'Send the body without content-encoding.');
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes)
      throw new AutoPayError('body_too_large', `The body is longer than ${maxBodyBytes} bytes. Send less at once.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Passes an answer on as it comes; nothing is held back. */
export async function sendAnswer(answer: Response, response: ServerResponse): Promise<void> {
  const headers = Object.fromEntries([...answer.headers].filter(([name]) => !droppedHeaders.has(name)));
  response.writeHead(answer.status, headers);
  if (answer.body === null) {
    response.end();
    return;
  }
  // The status line of a stream goes out at once, not with its first event.
  response.flushHeaders();
  await pipeline(Readable.fromWeb(answer.body), response);
}
