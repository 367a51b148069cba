import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An HTTP server of a test's own. */
export interface ServedHttp {
  /** Without a slash at the end. */
  url: string;
  server: Server;
  /** Cuts what is under way. */
  stop(): Promise<void>;
}

/** Serves HTTP on a free port of this machine. */
export async function serveHttp(listener: RequestListener): Promise<ServedHttp> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
