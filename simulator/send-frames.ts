import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome } from './request-log.ts';
import type { PreparedResponse } from './prepare-response.ts';

/** What sending needs. */
export interface SendOptions {
  response: ServerResponse;
  prepared: PreparedResponse;
  headers: Record<string, string>;
  /** Aborts when the client is gone or the response has lasted too long. */
  signal: AbortSignal;
}

/**
 * Sends a response at its pace, with the faults that concern the connection.
 *
 * @returns how it ended; never before the connection has taken the last byte
 * @throws the signal's reason when it aborts
 */
export async function sendFrames(options: SendOptions): Promise<Outcome> {
  const { response, prepared, headers, signal } = options;
  const { faults } = prepared.directives;
  response.writeHead(200, prepared.stream ? headers : { ...headers, 'content-length': String(prepared.sizeBytes) });
  if (faults.has('cut-before-first')) return cut(response);
  const cutAfter = faults.get('cut-after');
  const stallAfter = faults.get('stall-after');
  const stopAfter = Math.min(cutAfter ?? Number.POSITIVE_INFINITY, stallAfter ?? Number.POSITIVE_INFINITY);
  // A stream's status is seen before its first event; that of JSON comes with the body.
  if (prepared.stream) response.flushHeaders();
  await writePaced(options, stopAfter);
  if (cutAfter !== undefined && cutAfter === stopAfter) return cut(response);
  if (stallAfter !== undefined) return stall(signal);
  response.end();
  await once(response, 'finish', { signal });
  return 'answered';
}

async function writePaced({ response, prepared, signal }: SendOptions, stopAfter: number): Promise<void> {
  const { tokensPerSecond, faults } = prepared.directives;
  const startedMs = performance.now();
  let tokens = 0;
  const frames = prepared.stream
    ? prepared.frames.slice(0, stopAfter)
    : prepared.frames.map(({ bytes, ...rest }) => ({ ...rest, bytes: bytes.subarray(0, stopAfter) }));
  for (const frame of frames) {
    tokens += frame.tokens;
    if (tokensPerSecond !== null) {
      // Against the start, not the last frame, so that late timers do not add up.
      const waitMs = startedMs + (tokens * 1000) / tokensPerSecond - performance.now();
      if (waitMs > 0) await sleep(waitMs, undefined, { signal });
    }
    const pauseMs = faults.get('slow-drip');
    if (pauseMs === undefined) await write(response, frame.bytes, signal);
    else await drip(response, frame.bytes, { pauseMs, signal });
  }
}

async function drip(
  response: ServerResponse,
  bytes: Buffer,
  { pauseMs, signal }: { pauseMs: number; signal: AbortSignal },
): Promise<void> {
  for (let from = 0; from < bytes.length; from += 5) {
    await write(response, bytes.subarray(from, from + 5), signal);
    await sleep(pauseMs, undefined, { signal });
  }
}

async function write(response: ServerResponse, bytes: Buffer, signal: AbortSignal): Promise<void> {
  if (bytes.length > 0 && !response.write(bytes)) await once(response, 'drain', { signal });
}

/** Drops the connection after everything written has reached the kernel. */
async function cut(response: ServerResponse): Promise<Outcome> {
  response.flushHeaders();
  const { socket } = response;
  if (socket && !socket.destroyed) await new Promise((resolve) => socket.write('', resolve));
  socket?.destroy();
  return 'fault';
}

/**
 * Leaves the connection open until the client goes or the time is up.
 *
 * @throws the signal's reason, always
 */
export async function stall(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw signal.reason;
}
