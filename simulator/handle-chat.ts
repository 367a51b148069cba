import { hash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Barriers } from './barriers.ts';
import type { Directives } from './directives.ts';
import type { Flaps } from './flaps.ts';
import type { PreparedResponse } from './prepare-response.ts';
import { prepareResponse } from './prepare-response.ts';
import type { LoggedRequest, Outcome, RequestLog } from './request-log.ts';
import type { ResponseCache } from './response-cache.ts';
import { sendFrames, stall } from './send-frames.ts';
import type { AnswerSigner } from './sign-answers.ts';
import { WireError } from './wire-error.ts';
import type { Wire } from './wires/wire.ts';

/** What answering needs. */
export interface ChatDeps {
  log: RequestLog;
  cache: ResponseCache<PreparedResponse>;
  barriers: Barriers;
  flaps: Flaps;
  /** Null: answers have no signatures. */
  signer: AnswerSigner | null;
  /** Clock for `created` in milliseconds; null derives it from the request. */
  nowMs: (() => number) | null;
  /** A response that lasts longer, hanging ones included, is dropped. */
  maxResponseMs: number;
}

/** One `POST` to an API that generates, its body read. */
export interface ChatExchange {
  request: IncomingMessage;
  response: ServerResponse;
  body: Buffer;
  /** Headers that every answer carries. */
  headers: Record<string, string>;
  wire: Wire;
}

/**
 * Answers one request, as its directives say.
 *
 * @throws {WireError} to be answered by the caller; nothing has been sent then
 */
export async function handleChat(deps: ChatDeps, exchange: ChatExchange): Promise<void> {
  const { request, response, body, headers } = exchange;
  const entry = deps.log.add({ headers: request.headers, body });
  try {
    const prepared = prepareCached(deps, exchange);
    deps.signer?.note({
      ...{ id: prepared.id, bodyHash: hash('sha256', body, 'hex'), fault: prepared.directives.evidence },
      bytes: Buffer.concat(prepared.frames.map((frame) => frame.bytes)),
    });
    const allHeaders = { ...headers, 'content-type': prepared.contentType };
    if (prepared.whole !== null) {
      const { length } = prepared.whole;
      response.writeHead(200, prepared.stream ? allHeaders : { ...allHeaders, 'content-length': String(length) });
      response.end(prepared.whole);
      entry.status = 200;
      entry.outcome = 'answered';
      return;
    }
    await sendWithCare(deps, { response, prepared, headers: allHeaders, entry });
  } catch (error) {
    if (error instanceof WireError) {
      entry.status = error.status;
      entry.outcome = 'answered';
    }
    throw error;
  }
}

function prepareCached(deps: ChatDeps, { request, body, wire }: ChatExchange): PreparedResponse {
  const value = request.headers['x-sim'];
  const header = value === undefined ? null : String(value);
  const createdS = deps.nowMs === null ? null : Math.floor(deps.nowMs() / 1000);
  const bodyHash = hash('sha256', body, 'hex');
  const key = `${wire.path} ${bodyHash} ${createdS ?? ''} ${header ?? ''}`;
  const cached = deps.cache.get(key);
  if (cached) return cached;
  const prepared = prepareResponse({ body, bodyHash, header, createdS, wire });
  deps.cache.set(key, prepared);
  return prepared;
}

interface CarefulOptions {
  response: ServerResponse;
  prepared: PreparedResponse;
  headers: Record<string, string>;
  entry: LoggedRequest;
}

async function sendWithCare(deps: ChatDeps, options: CarefulOptions): Promise<void> {
  const { response, prepared, headers, entry } = options;
  const leaving = new AbortController();
  response.once('close', () => leaving.abort());
  const lifetime = setTimeout(() => leaving.abort(), deps.maxResponseMs);
  const { signal } = leaving;
  try {
    const { barrier, latencyMs } = prepared.directives;
    if (barrier) await deps.barriers.arrive({ ...barrier, signal });
    if (latencyMs > 0) await sleep(latencyMs, undefined, { signal });
    const early = await failEarly(deps, options, signal);
    if (early === null) entry.status = 200;
    entry.outcome = early ?? (await sendFrames({ response, prepared, headers, signal }));
  } catch (error) {
    if (!signal.aborted) throw error;
    entry.outcome = response.closed ? 'client-gone' : 'fault';
  } finally {
    clearTimeout(lifetime);
    if (signal.aborted) response.destroy();
  }
}

/** The faults that come before the headers of an answer; null when there is none. */
async function failEarly(
  deps: ChatDeps,
  { response, prepared }: CarefulOptions,
  signal: AbortSignal,
): Promise<Outcome | null> {
  const { faults, flap } = prepared.directives;
  if (flap !== null && deps.flaps.isWell(prepared.model, flap)) return null;
  const status = faults.get('status');
  if (status !== undefined) throw statusError(status, prepared.directives);
  if (faults.has('refuse')) {
    response.socket?.resetAndDestroy();
    return 'fault';
  }
  return faults.has('hang-headers') ? stall(signal) : null;
}

function statusError(status: number, directives: Directives): WireError {
  const { errorCode, retryAfterDateS, retryAfterMs, retryAfterS } = directives;
  const [type, usualCode] =
    STATUS_TYPES.get(status) ?? (status < 500 ? ['invalid_request_error', null] : ['server_error', null]);
  const headers: Record<string, string> = {};
  if (retryAfterS !== null) headers['retry-after'] = String(retryAfterS);
  if (retryAfterDateS !== null) headers['retry-after'] = new Date(Date.now() + retryAfterDateS * 1_000).toUTCString();
  if (retryAfterMs !== null) headers['retry-after-ms'] = String(retryAfterMs);
  const code = errorCode ?? usualCode;
  return new WireError({ status, message: `Simulated fault: status ${status}.`, type, code, headers });
}

// OpenAI's guide "Error codes".
const STATUS_TYPES = new Map<number, [type: string, code: string | null]>([
  [401, ['invalid_request_error', 'invalid_api_key']],
  [403, ['request_forbidden', 'unsupported_country_region_territory']],
  [404, ['invalid_request_error', 'model_not_found']],
  [429, ['requests', 'rate_limit_exceeded']],
  [503, ['service_unavailable_error', null]],
]);
