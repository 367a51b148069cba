import { TransportError, type TransportFailure } from '../call/transport.ts';

const timeouts = ['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT'];

/** What an error of undici, or of the socket below it, means for the attempt. */
export function readFailure(
  error: unknown,
  { afterHeaders, signal }: { afterHeaders: boolean; signal: AbortSignal },
): TransportFailure {
  // An abort shows itself under several names, the signal's own reason among them.
  if (signal.aborted) return signal.reason instanceof TransportError ? signal.reason.failure : 'aborted';
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (timeouts.includes(String(code))) return 'timeout';
  return afterHeaders ? 'truncated' : 'unreachable';
}
