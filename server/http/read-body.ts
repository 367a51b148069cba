import type { IncomingMessage } from 'node:http';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** Beyond this many times the limit, what a client still sends is not even read to be thrown away. */
const discardFactor = 4;

/**
 * Reads a JSON request's body: the exact bytes.
 *
 * A body that is over the limit is thrown away as it comes, so that its client is there to read the refusal.
 *
 * @throws AutoPayError `unsupported_media_type`, `body_too_large`, `invalid_request` (the client broke off)
 */
export async function readBody(request: IncomingMessage, maxBodyBytes: number): Promise<Buffer> {
  requireJson(request);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const tooLarge = () => {
    const message = `The body is larger than the ${maxBodyBytes} bytes that this relay takes. Send less.`;
    return new AutoPayError('body_too_large', message);
  };
  if (Number(request.headers['content-length'] ?? 0) > discardFactor * maxBodyBytes) throw tooLarge();

  let chunks: Buffer[] = [];
  let lengthBytes = 0;
  request.on('data', (chunk: Buffer) => {
    lengthBytes += chunk.length;
    if (lengthBytes <= maxBodyBytes) return void chunks.push(chunk);
    chunks = [];
    if (lengthBytes > discardFactor * maxBodyBytes) reject(tooLarge());
  });
  request.on('end', () => {
    if (lengthBytes > maxBodyBytes) reject(tooLarge());
    else resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, lengthBytes));
  });
  request.on('close', () => {
    // Every request closes; making an error for each would cost more than reading it.
    if (request.complete) return;
    reject(new AutoPayError('invalid_request', 'The request ended before its body was complete.'));
  });
  return promise;
}

function requireJson(request: IncomingMessage): void {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = request.headers;
  if (!/^application\/json\s*(?:;|$)/i.test(type)) {
    throw new AutoPayError('unsupported_media_type', 'Send the body as "Content-Type: application/json".');
  }
  if (encoding.toLowerCase() !== 'identity') {
    throw new AutoPayError('unsupported_media_type', 'Send the body without Content-Encoding.');
  }
}
