import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectBytes } from '../protocol/bytes/collect-bytes.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { maxAddCheckpointBytes, parseAddCheckpoint } from '../protocol/log/add-checkpoint.ts';
import type { Witness, WitnessLogger } from './create-witness.ts';

/** A witness that listens. */
export interface ServedWitness {
  /** Submission prefix and monitoring prefix, without a slash at the end. */
  url: string;
  /** Answers what is under way, and takes nothing more. */
  close(): Promise<void>;
}

/** From the first byte of a request to its last: bodies are small. */
const requestTimeoutMs = 10_000;
const maxConnections = 256;
/** For what is under way when the witness stops. */
const closeTimeoutMs = 5_000;
const textType = 'text/plain; charset=utf-8';

/**
 * Serves `POST /add-checkpoint` and `GET /<SHA-256 of the origin>/checkpoint` (C2SP tlog-witness). No request is authenticated but by
 * the log's signature on the checkpoint.
 * @param options.port 0 picks a free one
 * @throws AutoPayError `port_taken`
 */
export async function serveWitness(options: {
  witness: Witness;
  host: string;
  port: number;
  log: WitnessLogger;
}): Promise<ServedWitness> {
  const { witness, host, port, log } = options;
  const limits = {
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs,
    connectionsCheckingInterval: 2_000,
  };
  const server = createServer(limits, (request, response) => {
    answer(witness, request)
      .catch((error: unknown): Answer => answerOfError(error, log))
      .then((ready) => send(request, response, ready))
      .catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  server.maxConnections = maxConnections;
  await listen(server, { host, port });
  const { port: actual, address, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${actual}`,
    async close() {
      const cut = setTimeout(() => server.closeAllConnections(), closeTimeoutMs);
      server.close();
      server.closeIdleConnections();
      await once(server, 'close');
      clearTimeout(cut);
    },
  };
}

interface Answer {
  status: number;
  body: string;
  type?: string;
}

async function answer(witness: Witness, request: IncomingMessage): Promise<Answer> {
  const { method = '', url = '' } = request;
  const [, originHash] = /^\/([0-9a-f]{64})\/checkpoint$/.exec(url) ?? [];
  if (originHash !== undefined && (method === 'GET' || method === 'HEAD')) {
    const note = witness.checkpointOf(originHash);
    return note === undefined
      ? { status: 404, body: 'Nothing of this log was cosigned.\n' }
      : { status: 200, body: note };
  }
  if (url !== '/add-checkpoint')
    return { status: 404, body: 'There are POST /add-checkpoint and GET /<origin hash>/checkpoint.\n' };
  if (method !== 'POST') return { status: 405, body: 'Send a POST.\n' };
  const result = await witness.addCheckpoint(parseAddCheckpoint(await readText(request)));
  if (result.status === 200) return { status: 200, body: result.lines };
  if (result.status === 409) return { status: 409, body: `${result.size}\n`, type: 'text/x.tlog.size' };
  return { status: result.status, body: `${result.reason}\n` };
}

/** @throws AutoPayError `body_too_large`, `invalid_encoding` */
async function readText(request: IncomingMessage): Promise<string> {
  const bytes = await collectBytes(request, {
    maxBytes: maxAddCheckpointBytes,
    tooLong: () => new AutoPayError('body_too_large', `A request has at most ${maxAddCheckpointBytes} bytes.`),
  });
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new AutoPayError('invalid_encoding', 'A request is UTF-8.', { cause });
  }
}

/** What the asker did is told to it; what failed here, to the log. */
function answerOfError(error: unknown, log: WitnessLogger): Answer {
  if (error instanceof AutoPayError && error.status < 500) return { status: error.status, body: `${error.message}\n` };
  const isAway = error instanceof AutoPayError && error.status === 503;
  log.error({ error: error instanceof Error ? error.message : String(error) }, 'a checkpoint could not be judged');
  return { status: isAway ? 503 : 500, body: 'The checkpoint could not be judged. Send it again later.\n' };
}

function send(request: IncomingMessage, response: ServerResponse, { status, body, type = textType }: Answer): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, { 'content-type': type, 'content-length': bytes.length, 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : bytes);
  // The rest of a body that is too long is not waited for.
  if (!request.complete) response.once('finish', () => request.destroy());
}

async function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new AutoPayError(
      'port_taken',
      `Port ${port} is taken. Stop what listens there, or choose another with --port.`,
      {
        cause,
      },
    );
  }
}
