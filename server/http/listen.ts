import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { answerClientError } from './answer-client-error.ts';

/** An HTTP server that listens. */
export interface Listening {
  /** Without a slash at the end. */
  url: string;
  server: Server;
}

/**
 * Longer than that of clients, and of load balancers before the relay (AWS: 60 s, nginx: 60 s), so that they close idle connections first: closed
 * here, a connection may just be carrying the next request, which is lost.
 */
const keepAliveTimeoutMs = 75_000;
/** A credential alone may have 16 KiB. */
const maxHeaderBytes = 32_768;
/** Headers come in one piece or two. Bodies have a deadline of their own; this is the last one, for every route. */
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;
/** How often both are looked after. */
const checkIntervalMs = 2_000;
const defaultMaxConnections = 8_192;

/**
 * Listens for HTTP. Of more connections than it takes, new ones are dropped; those that are idle then make room.
 *
 * @param options.port 0 picks a free one
 * @param options.maxConnections default 8,192
 * @throws AutoPayError `port_taken`; other errors of listening as they are
 */
export async function listen(
  listener: RequestListener,
  options: { host: string; port: number; maxConnections?: number },
): Promise<Listening> {
  const { host, port } = options;
  const server = createServer(
    {
      keepAliveTimeout: keepAliveTimeoutMs,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: checkIntervalMs,
      maxHeaderSize: maxHeaderBytes,
    },
    listener,
  );
  server.maxConnections = options.maxConnections ?? defaultMaxConnections;
  server.on('drop', () => server.closeIdleConnections());
  server.on('clientError', (error, socket) => answerClientError(error, socket, { maxHeaderBytes }));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EADDRINUSE') throw cause;
    const message = `Port ${port} is taken. Stop what listens there, or choose another with --port.`;
    throw new AutoPayError('port_taken', message, { cause });
  });
  const address = server.address() as AddressInfo;
  return {
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    server,
  };
}
