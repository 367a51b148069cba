import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { errorBody, errorHeaders } from './error-response.ts';
import { openWallet, type Wallet, type WalletOptions } from './open-wallet.ts';
import { createPayFetch } from './pay-fetch.ts';
import { describeWallet } from './describe-wallet.ts';
import { createGuard, isLoopback, requireGuard, type SidecarGuard } from './sidecar-guard.ts';

const defaultHost = '127.0.0.1';
const defaultMaxBodyBytes = 4_194_304;
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

/** How a sidecar listens. */
export interface SidecarOptions extends WalletOptions {
  /** 0 picks a free one. */
  port: number;
  /** Address to listen on. Default: 127.0.0.1. Any other than loopback needs `proxyToken`. */
  host?: string;
  /** Requests must carry it as `Authorization: Bearer …` or `x-api-key` then; usually from AUTOPAY_PROXY_TOKEN. */
  proxyToken?: string;
  /** Longest request body. Default: 4 MiB. */
  maxBodyBytes?: number;
}

/** A running sidecar. */
export interface Sidecar {
  /** Such as `http://127.0.0.1:4001`; an application's `baseURL` is this with `/v1`. */
  url: string;
  /** Stops listening and ends what is under way. */
  close(): Promise<void>;
}

/**
 * Starts a proxy that pays for calls, so that `baseURL` is all that an application changes. It passes `/v1/*` to the relay (POSTs
 * through `createPayFetch`), tells of itself at `GET /healthz` and of the wallet at `GET /wallet`, and refuses what a web page of
 * another site could send: foreign `Origin`s, and on loopback foreign `Host` headers (DNS rebinding).
 * @throws AutoPayError `port_taken`; `invalid_configuration` for an address that others can reach, without a token.
 */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const { host = defaultHost, proxyToken: token } = options;
  requireGuard(host, token);
  const wallet = openWallet(options);
  const guard = createGuard({ token, isLoopback: isLoopback(host) });
  const handler = createHandler({ wallet, guard, maxBodyBytes: options.maxBodyBytes ?? defaultMaxBodyBytes });
  const server = createServer((request, response) => void handler(request, response));
  await listen(server, { port: options.port, host });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}

async function listen(server: Server, { port, host }: { port: number; host: string }): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new AutoPayError('port_taken', `Port ${port} is taken. Stop what listens there, or choose another port.`, {
      cause,
    });
  }
}

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

function createHandler(options: { wallet: Wallet; guard: SidecarGuard; maxBodyBytes: number }): Handler {
  const { wallet, guard, maxBodyBytes } = options;
  const payFetch = createPayFetch(wallet);

  async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    guard.refuseForeign(request);
    const path = request.url ?? '/';
    // For whoever watches over the process, who has no token.
    if (request.method === 'GET' && path === '/healthz') {
      return sendJson(response, { status: 'ok', relayUrl: wallet.relayUrl });
    }
    guard.requireToken(request);
    if (request.method === 'GET' && path === '/wallet') return sendJson(response, await describeWallet(wallet));
    // Judged as it will be sent: dots in a path are resolved then.
    const target = URL.parse(`${wallet.relayUrl}${path}`);
    if (!target?.pathname.startsWith('/v1/')) {
      throw new AutoPayError('not_found', 'The sidecar serves /v1/* only. Ask the relay itself for anything else.');
    }
    if (request.method !== 'GET' && request.method !== 'POST') {
      throw new AutoPayError('method_not_allowed', 'Use GET or POST.');
    }
    const isGone = new AbortController();
    response.once('close', () => isGone.abort());
    const answer = await payFetch(target, {
      method: request.method,
      headers: forwardedHeaders(request),
      signal: isGone.signal,
      ...(request.method === 'POST' ? { body: await readBody(request, maxBodyBytes) } : {}),
    });
    await sendAnswer(answer, response);
  }

  return async (request, response) => {
    try {
      await forward(request, response);
    } catch (error) {
      if (response.headersSent || response.destroyed) response.destroy();
      else sendError(response, { error, relayUrl: wallet.relayUrl });
    }
  };
}

function sendJson(response: ServerResponse, body: unknown): void {
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' };
  response.writeHead(200, headers).end(JSON.stringify(body));
}

function forwardedHeaders(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headersDistinct)) {
    if (!droppedHeaders.has(name) && value !== undefined) headers.set(name, value.join(', '));
  }
  return headers;
}

async function readBody(request: IncomingMessage, maxBodyBytes: number): Promise<Buffer<ArrayBuffer>> {
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

async function sendAnswer(answer: Response, response: ServerResponse): Promise<void> {
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

function sendError(response: ServerResponse, { error, relayUrl }: { error: unknown; relayUrl: string }): void {
  const known = error instanceof AutoPayError ? error : unknownError(error, relayUrl);
  // The rest of a body that was not read would otherwise be taken for the next request.
  response.writeHead(known.status, { ...errorHeaders, connection: 'close' }).end(errorBody(known));
}

function unknownError(cause: unknown, relayUrl: string): AutoPayError {
  // Fetch rejects with a TypeError whose cause is the socket's error.
  if (cause instanceof TypeError && cause.cause !== undefined) {
    const message = `The relay at ${relayUrl} cannot be reached. Check that it runs.`;
    return new AutoPayError('upstream_unreachable', message, { cause });
  }
  return new AutoPayError('internal_error', 'The sidecar failed. Try again; if it stays, report it.', { cause });
}
