import { createHash } from 'node:crypto';
import type { PreparedRequest } from './send-request.ts';

/** Clients repeat a call within seconds, or when `Retry-After` says. */
const rememberedForMs = 120_000;
/** More than time out at once; the oldest are forgotten first. */
const maxRemembered = 1_000;
/** How OpenAI's clients count their own repetitions, from 0. They send no Idempotency-Key with them. */
const repetitionHeader = 'x-stainless-retry-count';

/**
 * Paid calls whose callers left before the answer came. A client that ran out of patience may repeat such a call by itself: with the same
 * Idempotency-Key it gets the answer of the first, where it would else pay for another.
 */
export interface AbandonedCalls {
  /** The caller of a request, which has an Idempotency-Key, has left. */
  note(request: PreparedRequest): void;
  /** The Idempotency-Key of the call that this request repeats; each is given once. undefined if it repeats none. */
  take(request: PreparedRequest): string | undefined;
}

/** Remembers abandoned calls of this process. */
export function createAbandonedCalls(): AbandonedCalls {
  const calls = new Map<string, { digest: string; atMs: number }>();
  return {
    note(request) {
      const key = request.headers.get('idempotency-key');
      if (key === null) return;
      calls.set(key, { digest: digestOfCall(request), atMs: Date.now() });
      const oldest = calls.keys().next();
      if (calls.size > maxRemembered && !oldest.done) calls.delete(oldest.value);
    },
    take(request) {
      if (!(Number(request.headers.get(repetitionHeader)) > 0)) return undefined;
      const digest = digestOfCall(request);
      const isIt = ([, call]: readonly [string, { digest: string; atMs: number }]) =>
        call.digest === digest && Date.now() - call.atMs < rememberedForMs;
      const [key] = [...calls].find(isIt) ?? [];
      if (key !== undefined) calls.delete(key);
      return key;
    },
  };
}

/** What makes two requests the same call: where they go, and their bytes. */
export function digestOfCall({ url, body }: PreparedRequest): string {
  return createHash('sha256').update(`${url}\n`).update(body).digest('base64');
}
