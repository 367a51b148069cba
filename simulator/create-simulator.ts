import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createBarriers } from './barriers.ts';
import { DIRECTIVE_HELP, FAULTS, MAX_WAIT_MS } from './directives.ts';
import { createFlaps } from './flaps.ts';
import type { ChatDeps } from './handle-chat.ts';
import { handleChat } from './handle-chat.ts';
import { describeModel, LISTED_MODELS, parseModelName } from './models.ts';
import { readBody } from './read-body.ts';
import type { RequestLog } from './request-log.ts';
import { createRequestLog } from './request-log.ts';
import { createResponseCache } from './response-cache.ts';
import type { AnswerSigner, SignerOptions } from './sign-answers.ts';
import { createAnswerSigner } from './sign-answers.ts';
import { WireError } from './wire-error.ts';
import { wires } from './wires/list-wires.ts';
import { messagesWire, writeMessagesError } from './wires/messages-wire.ts';

/** How the simulator behaves. Every field may be left out. */
export interface SimulatorOptions {
  /** When set, `/v1/*` answers 401 unless the request carries `Authorization: Bearer` with this key. */
  apiKey?: string;
  /** Clock for `created`, Unix time in milliseconds. Without it `created` follows from the request alone. */
  nowMs?: () => number;
  /** Larger request bodies are answered with 413. Default 32 MiB. */
  maxBodyBytes?: number;
  /** How many requests `/sim/requests` keeps, each with at most 64 KiB of its body. Default 200. */
  keepRequests?: number;
  /** How long a barrier waits for the missing requests. Default 30,000. */
  barrierTimeoutMs?: number;
  /** A response that lasts longer, hanging ones included, is dropped. Default 600,000. */
  maxResponseMs?: number;
  /** Signs answers, which `/v1/signature/{id}` then tells. Default: none is signed. */
  signer?: SignerOptions;
}

/** A simulated provider in this process. */
export interface Simulator {
  /**
   * Starts to listen.
   *
   * @param port 0 picks a free one
   * @param host 127.0.0.1 unless said otherwise
   * @returns the base URL without `/v1`, such as `http://127.0.0.1:4010`
   * @throws Node's listen error, such as EADDRINUSE
   */
  listen(port: number, host?: string): Promise<string>;
  /** Stops listening and drops all connections, hanging ones too. */
  close(): Promise<void>;
}

const CACHE_BYTES = 64 * 2 ** 20;
const LOGGED_BODY_BYTES = 64 * 2 ** 10;
// Longer than the keep-alive of common clients, so that the client's side closes idle connections first.
const KEEP_ALIVE_MS = 120_000;

interface Context {
  apiKey: string | null;
  maxBodyBytes: number;
  log: RequestLog;
  chat: ChatDeps;
  signer: AnswerSigner | null;
  nextRequestId: () => string;
}

/** Makes a simulated provider that speaks OpenAI's API and Anthropic's Messages (JSON and SSE). It does not listen yet. */
export function createSimulator(options: SimulatorOptions = {}): Simulator {
  const log = createRequestLog({ keep: options.keepRequests ?? 200, maxBodyBytes: LOGGED_BODY_BYTES });
  const barriers = createBarriers({ timeoutMs: options.barrierTimeoutMs ?? 30_000, maxNames: 256 });
  const signer = options.signer ? createAnswerSigner(options.signer) : null;
  const chat: ChatDeps = {
    ...{ log, signer },
    cache: createResponseCache(CACHE_BYTES),
    barriers,
    flaps: createFlaps(),
    nowMs: options.nowMs ?? null,
    maxResponseMs: options.maxResponseMs ?? MAX_WAIT_MS,
  };
  let served = 0;
  const context: Context = {
    apiKey: options.apiKey ?? null,
    maxBodyBytes: options.maxBodyBytes ?? 32 * 2 ** 20,
    ...{ log, chat, signer },
    nextRequestId: () => `req_${(served += 1).toString(16).padStart(32, '0')}`,
  };
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    void answer(context, request, response);
  });
  return { listen: (port, host) => listen(server, port, host ?? '127.0.0.1'), close: () => close(server) };
}

async function answer(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const headers = { 'x-request-id': context.nextRequestId(), 'openai-version': '2020-10-01' };
  try {
    await route(context, request, response, headers);
  } catch (error) {
    if (response.destroyed || response.headersSent) {
      response.destroy();
      return;
    }
    const known = error instanceof WireError ? error : unexpected(error);
    const body = request.url?.startsWith(messagesWire.path) ? writeMessagesError(known) : known.toBody();
    const all = { ...headers, ...known.headers, 'content-type': 'application/json', 'content-length': body.length };
    response.writeHead(known.status, all).end(body);
  }
}

async function route(
  context: Context,
  request: IncomingMessage,
  response: ServerResponse,
  headers: Record<string, string>,
): Promise<void> {
  const { method = '', url = '' } = request;
  const query = url.indexOf('?');
  const path = query < 0 ? url : url.slice(0, query);
  if (path.startsWith('/v1/')) authenticate(context, request);
  const wire = wires.get(path);
  if (wire) {
    if (method !== 'POST') throw notAllowed(method, path);
    const body = await readBody(request, context.maxBodyBytes);
    return handleChat(context.chat, { request, response, body, headers, wire });
  }
  if (method === 'DELETE' && path === '/sim/requests') {
    context.log.clear();
    return sendJson(response, context.log.describe(), headers);
  }
  const evidence = context.signer && method === 'GET' ? readEvidence(context.signer, url) : undefined;
  // It hangs until its client goes.
  if (evidence === null) return;
  const read = evidence ?? readable(context, path);
  if (read === null) {
    const message = `There is no ${method} ${path.slice(0, 200)}. See GET /sim/help.`;
    throw new WireError({ status: 404, message, code: 'unknown_url' });
  }
  if (method !== 'GET') throw notAllowed(method, path);
  sendJson(response, read, headers);
}

/** What a provider that signs tells; undefined for other paths, null where it is never to answer. */
function readEvidence(signer: AnswerSigner, url: string): object | null | undefined {
  const { pathname, searchParams } = new URL(url, 'http://simulator');
  const signatures = '/v1/signature/';
  if (pathname.startsWith(signatures)) return signer.signature(decodeModel(pathname.slice(signatures.length)));
  return pathname === '/v1/attestation/report' ? signer.report(searchParams.get('nonce') ?? '') : undefined;
}

function readable(context: Context, path: string): object | null {
  if (path === '/healthz') return { status: 'ok', simulated: true };
  if (path === '/v1/models') return { object: 'list', data: LISTED_MODELS.map(describeModel) };
  if (path.startsWith('/v1/models/')) {
    return describeModel(parseModelName(decodeModel(path.slice('/v1/models/'.length))).base);
  }
  if (path === '/sim/requests') return context.log.describe();
  if (path === '/sim/help') return help();
  return null;
}

/** A name that is no valid URL encoding stays as it came, and is then unknown. */
function decodeModel(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function help(): object {
  return {
    models: LISTED_MODELS,
    usage: 'header x-sim: key=value;key=value, or model name sim-small?key=value&key=value; the header wins',
    directives: DIRECTIVE_HELP,
    faults: FAULTS,
    requests: 'GET /sim/requests lists the last requests and their count; DELETE /sim/requests clears both',
  };
}

function authenticate({ apiKey }: Context, request: IncomingMessage): void {
  if (apiKey === null || request.headers.authorization === `Bearer ${apiKey}`) return;
  // Anthropic's clients send it so.
  if (request.headers['x-api-key'] === apiKey) return;
  const missing = request.headers.authorization === undefined;
  throw new WireError({
    status: 401,
    message: missing
      ? 'No API key was sent. Send it in the Authorization header: Authorization: Bearer KEY.'
      : 'The API key is wrong. Send the key that the simulator was started with.',
    code: missing ? null : 'invalid_api_key',
  });
}

function notAllowed(method: string, path: string): WireError {
  return new WireError({ status: 405, message: `${path} does not take ${method}.`, code: 'method_not_supported' });
}

function unexpected(error: unknown): WireError {
  process.stderr.write(`simulator: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return new WireError({ status: 500, message: 'The simulator failed; its log says why.', type: 'server_error' });
}

function sendJson(response: ServerResponse, value: object, headers: Record<string, string>): void {
  const body = Buffer.from(JSON.stringify(value, null, 2));
  response.writeHead(200, { ...headers, 'content-type': 'application/json', 'content-length': body.length }).end(body);
}

async function listen(server: Server, port: number, host: string): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address() as AddressInfo;
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
