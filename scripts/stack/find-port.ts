import { createServer } from 'node:net';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

const HOST = '127.0.0.1';

/** Listens for a moment; the port that was listened on. */
function tryPort(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, HOST, () => {
      const address = server.address();
      const found = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve(found));
    });
  });
}

/** A port on the loopback address that was free a moment ago. */
export function findFreePort(): Promise<number> {
  return tryPort(0);
}

/**
 * Makes sure that a port can be listened on.
 *
 * @throws AutoPayError `port_taken`, naming the port and who wanted it
 */
export async function requireFreePort(port: number, wantedBy: string): Promise<void> {
  try {
    await tryPort(port);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    const why = code === 'EADDRINUSE' ? 'is taken' : `cannot be listened on (${code})`;
    throw new AutoPayError('port_taken', `Port ${port}, for the ${wantedBy}, ${why}. Choose another with --port N.`, {
      cause,
    });
  }
}
