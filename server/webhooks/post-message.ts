import { Agent, request } from 'undici';
import { signMessage } from './sign-message.ts';

/** Sends messages to one receiver. */
export interface MessagePoster {
  /**
   * Tries once.
   * @returns null if the receiver took it; else why not, in words, and whether it refuses for good
   */
  post(message: { id: string; body: string }): Promise<{ reason: string; isFinal: boolean } | null>;
  /** Ends what is under way. */
  close(): Promise<void>;
}

/** Whatever a receiver says beyond this is not read. */
const maxResponseBytes = 16_384;

/**
 * Opens connections to a receiver, `connections` at most. Redirects are not followed: only the URL of the configuration is told.
 * @param options.timeoutMs of one try, answer included
 */
export function createMessagePoster(options: {
  url: string;
  secrets: readonly Uint8Array[];
  connections: number;
  timeoutMs: number;
  nowMs: () => number;
}): MessagePoster {
  const { url, secrets, connections, timeoutMs, nowMs } = options;
  const agent = new Agent({ connections, connect: { timeout: timeoutMs }, maxResponseSize: maxResponseBytes });
  return {
    async post({ id, body }) {
      const timestamp = Math.floor(nowMs() / 1_000);
      const headers = { 'content-type': 'application/json', ...signMessage({ id, timestamp, body }, secrets) };
      const signal = AbortSignal.timeout(timeoutMs);
      try {
        const response = await request(url, { method: 'POST', headers, body, dispatcher: agent, signal });
        const { statusCode } = response;
        // The status is the answer; the rest is read only so that the connection can be used again.
        await response.body.dump({ limit: maxResponseBytes, signal }).catch(() => undefined);
        if (statusCode >= 200 && statusCode < 300) return null;
        return { reason: `answered with status ${statusCode}`, isFinal: statusCode === 410 };
      } catch (error) {
        return { reason: describeFailure(error, signal, timeoutMs), isFinal: false };
      }
    },
    close: () => agent.destroy(),
  };
}

/** Never the error's own message: it may repeat the URL, which may carry a token. */
function describeFailure(error: unknown, signal: AbortSignal, timeoutMs: number): string {
  if (signal.aborted) return `gave no answer within ${timeoutMs} ms`;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  return `could not be reached (${code.slice(0, 60)})`;
}
