import type { Deployment } from './types.ts';

/** A request to an upstream. */
export interface UpstreamRequest {
  deployment: Deployment;
  /** An endpoint's path, `/v1/…`; what follows `/v1` stands behind the provider's base URL. */
  path: string;
  /** The body as it goes out. */
  body: Uint8Array;
  /** Whether an event stream is asked for. */
  stream: boolean;
  /** Aborts the request, or the reading of its answer; if its reason is a TransportError, that is what failed. */
  signal: AbortSignal;
  /** Milliseconds, instead of the transport's own: until the headers of the answer, and between two pieces of its body. */
  timeouts?: { headersMs?: number | undefined; idleMs?: number | undefined };
  /** Which attempt of which call it is: sellers are paid for those only, once for each. */
  attempt?: { callId: string; number: number };
  /** Further headers for the provider, by names in lower case. */
  headers?: Readonly<Record<string, string>>;
}

/** An upstream's answer, its body still to be read. */
export interface UpstreamResponse {
  status: number;
  /** Names in lower case; of a repeated header the first, but of `www-authenticate` all, joined by commas. */
  headers: Readonly<Record<string, string | undefined>>;
  /** One pass. Iteration throws TransportError; leaving it early closes the connection. */
  body: AsyncIterable<Uint8Array>;
  /** Whether it is a 402 that the relay would not pay: a limit of its own, which says nothing of the provider. */
  unpaid?: true;
  /**
   * Closes the connection if the body has not been read to its end; whoever does not read that far MUST call it, read or
   * not, since the connection is held until then. Harmless afterwards, and never throws.
   */
  destroy(): void;
}

/** Sends requests to providers. It makes one try and never follows a redirect: retrying is the router's. */
export interface Transport {
  /** @throws TransportError if no answer came. */
  send(request: UpstreamRequest): Promise<UpstreamResponse>;
}

/** What became of an upstream request that brought no whole answer. */
export type TransportFailure =
  /** No connection, or it broke before the headers. */
  | 'unreachable'
  /** Headers or the next bytes took too long. */
  | 'timeout'
  /** It broke within the body. */
  | 'truncated'
  /** Broken off by the relay: the body was longer than allowed. */
  | 'too_long'
  /** Given up by the relay. */
  | 'aborted';

/** A failed upstream request. Its message is for the log only. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly failure: TransportFailure;

  constructor(failure: TransportFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.failure = failure;
  }
}

/** How an attempt's record names a failure. */
export function outcomeOfFailure(failure: TransportFailure): Exclude<TransportFailure, 'too_long'> {
  return failure === 'too_long' ? 'aborted' : failure;
}
