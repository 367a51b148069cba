import type { IncomingMessage } from 'node:http';

const maxDiscardedBytes = 64 * 2 ** 20;

/**
 * Throws away what a client still sends of a body that is being answered, up to 64 MiB and `maxDiscardMs`, then cuts the connection.
 * Cut at once, the system would answer what is still on its way with a reset, and most clients would see that instead of
 * the answer (RFC 9112 §9.6).
 */
export function discardRest(request: IncomingMessage, maxDiscardMs = 5_000): void {
  const { socket } = request;
  if (request.complete || socket.destroyed) return;
  let discardedBytes = 0;
  const deadline = setTimeout(() => socket.destroy(), maxDiscardMs).unref();
  request.on('data', (chunk: Buffer) => {
    discardedBytes += chunk.length;
    if (discardedBytes > maxDiscardedBytes) socket.destroy();
  });
  request.on('close', () => clearTimeout(deadline));
  request.resume();
}
