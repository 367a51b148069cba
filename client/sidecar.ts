import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { describeWallet } from './describe-wallet.ts';
import { errorBody, errorHeaders } from './error-response.ts';
import { forwardedHeaders, readBody, sendAnswer } from './forward-request.ts';
import { openWallet, type Wallet, type WalletOptions } from './open-wallet.ts';
import { createPayFetch } from './pay-fetch.ts';
import { pathBehindBase } from './relay-base.ts';
import { readDocs } from './sidecar-docs.ts';
import { createGuard, isLoopback, requireGuard, type SidecarGuard } from './sidecar-guard.ts';
import { describeSidecar } from './sidecar-openapi.ts';
import { findRoute, type SidecarAnswer } from './sidecar-routes.ts';

const defaultHost = '127.0.0.1';
const defaultMaxBodyBytes = 4_194_304;

/** Where a sidecar tells what it does; a pino log fits. It is given no header, no body and no query. */
export interface SidecarLog {
  error(facts: object, message: string): void;
  info(facts: object, message: string): void;
}

/** How a sidecar listens. Here `relayUrl` may have a path, which stands before `/v1` then: `https://blockrun.ai/api`. */
export interface SidecarOptions extends WalletOptions {
  /** 0 picks a free one. */
  port: number;
  /** Address to listen on. Default: 127.0.0.1. Any other than loopback needs `proxyToken`. */
  host?: string;
  /** Requests must carry it as `Authorization: Bearer …` or `x-api-key` then; usually from AUTOPAY_PROXY_TOKEN. */
  proxyToken?: string;
  /** Longest request body. Default: 4 MiB. */
  maxBodyBytes?: number;
  /** Told of each request when it ends, and of failures. Default: nobody. */
  log?: SidecarLog;
}

/** A running sidecar. */
export interface Sidecar {
  /** Such as `http://127.0.0.1:4001`; an application's `baseURL` is this with `/v1`. */
  url: string;
  /** Stops listening, gives what is under way so many milliseconds (default: none) to finish, and ends the rest. May be repeated. */
  close(options?: { graceMs?: number }): Promise<void>;
}

/**
 * Starts a proxy that pays for calls, so that `baseURL` is all that an application changes. It passes `/v1/*` to the relay (POSTs
 * through `createPayFetch`), tells of itself at `GET /healthz`, of the wallet at `GET /wallet` and of its routes at `GET /docs` and
 * `GET /openapi.json`. It refuses what a web page of another site could send: foreign `Origin`s, and on loopback foreign `Host`
 * headers (DNS rebinding).
 * @throws AutoPayError `port_taken`; `invalid_configuration` for an address that others can reach, without a token.
 */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const { host = defaultHost, proxyToken: token, log = { error: () => undefined, info: () => undefined } } = options;
  requireGuard(host, token);
  const wallet = openWallet(options);
  const handler = createHandler({
    wallet,
    // Whoever copies a client's base URL gives `/v1` with it.
    baseUrl: wallet.relayUrl + pathBehindBase(options.relayUrl),
    guard: createGuard({ token, isLoopback: isLoopback(host) }),
    maxBodyBytes: options.maxBodyBytes ?? defaultMaxBodyBytes,
    document: JSON.stringify(describeSidecar({ hasToken: token !== undefined })),
    log,
  });
  const server = createServer((request, response) => void handler(request, response));
  await listen(server, { port: options.port, host });
  const { port } = server.address() as AddressInfo;
  const closed = new Promise<void>((resolve) => server.once('close', resolve));
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    async close({ graceMs = 0 } = {}) {
      if (server.listening) server.close();
      const end = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(end);
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

interface HandlerOptions {
  wallet: Wallet;
  /** What `/v1/…` is put behind. */
  baseUrl: string;
  guard: SidecarGuard;
  maxBodyBytes: number;
  /** The OpenAPI document, as JSON. */
  document: string;
  log: SidecarLog;
}

function createHandler(options: HandlerOptions): Handler {
  const { wallet, guard, document, log } = options;
  const answers: Record<SidecarAnswer, Handler> = {
    forward: createForwarder(options),
    health: async (_, response) => sendJson(response, JSON.stringify({ status: 'ok', relayUrl: wallet.relayUrl })),
    wallet: async (_, response) => sendJson(response, JSON.stringify(await describeWallet(wallet))),
    openapi: async (_, response) => sendJson(response, document),
    async docs(request, response) {
      const { headers, body } = await readDocs(pathOf(request));
      response.writeHead(200, headers).end(body);
    },
  };

  return async (request, response) => {
    const startedAtMs = performance.now();
    response.once('close', () => {
      const { statusCode: status, writableFinished: isWhole } = response;
      const ms = Math.round(performance.now() - startedAtMs);
      log.info({ method: request.method, path: pathOf(request), status, isWhole, ms }, 'request');
    });
    try {
      guard.refuseForeign(request);
      const route = findRoute(request.method, pathOf(request));
      if (!route.isOpen) guard.requireToken(request);
      await answers[route.answer](request, response);
    } catch (error) {
      if (!(error instanceof AutoPayError)) log.error({ error: String(error) }, 'the answer failed');
      if (response.headersSent || response.destroyed) response.destroy();
      else sendError(response, { error, relayUrl: wallet.relayUrl });
    }
  };
}

/** Passes a request to the relay, and pays for it. */
function createForwarder({ wallet, baseUrl, maxBodyBytes }: HandlerOptions): Handler {
  const payFetch = createPayFetch(wallet);
  return async (request, response) => {
    // Judged as it will be sent: dots in a path are resolved then.
    const target = URL.parse(baseUrl + (request.url ?? '/'));
    if (!target?.href.startsWith(`${baseUrl}/v1/`)) {
      throw new AutoPayError('not_found', 'The sidecar serves /v1/* only. Ask the relay itself for anything else.');
    }
    const isGone = new AbortController();
    response.once('close', () => isGone.abort());
    const answer = await payFetch(target, {
      method: request.method ?? 'GET',
      headers: forwardedHeaders(request),
      signal: isGone.signal,
      ...(request.method === 'POST' ? { body: await readBody(request, maxBodyBytes) } : {}),
    });
    await sendAnswer(answer, response);
  };
}

function pathOf({ url = '/' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? url;
}

function sendJson(response: ServerResponse, body: string): void {
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' };
  response.writeHead(200, headers).end(body);
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
