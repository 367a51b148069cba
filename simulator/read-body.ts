import type { IncomingMessage } from 'node:http';
import { WireError } from './wire-error.ts';

/**
 * Reads a request body to its end.
 *
 * @throws {WireError} 413 when it is longer than `maxBytes`; the rest is then read and dropped
 * @throws the connection's error when the client leaves before the end
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      const message = `The body is longer than ${maxBytes} bytes. Send a shorter one.`;
      reject(new WireError({ status: 413, message, code: 'request_too_large' }));
    });
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.on('error', reject);
  });
}
