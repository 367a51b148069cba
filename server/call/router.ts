import type { AttemptRecord } from '../ledger/ledger.ts';
import type { UsageFault } from '../metering/judge-usage.ts';
import type { FallbackReason, RouteTerms } from './routing-terms.ts';
import type { TransportFailure, UpstreamResponse } from './transport.ts';
import type { Deployment } from './types.ts';

/** A route that may answer a call, and what it takes to let it. */
export interface RouteOption {
  /** Those that meet what the call needs. */
  deployments: readonly Deployment[];
  terms: RouteTerms;
  /** After which failure it is taken; null for the route that is asked first. */
  after: FallbackReason | null;
  /** Upper bounds of what it would use, for strategies and limits. */
  promptTokens: number;
  outputTokens: number;
  /** Whether `outputTokens` was lowered to what the payer's headroom buys. */
  shrunk: boolean;
  bodyFor(deployment: Deployment): Uint8Array;
  /**
   * Called before the first attempt at another route than the first: sees to it that the call may be sold as that route's.
   * @returns false if its model's budget does not allow it; then it is passed over
   */
  enter(): Promise<boolean>;
}

/** The attempts of one call, as the router is to make them. */
export interface AttemptPlan<T> {
  callId: string;
  /** What is asked for at a provider: an endpoint's path, such as `/v1/chat/completions`. */
  path: string;
  /** The first is asked first. */
  options: readonly RouteOption[];
  stream: boolean;
  signal: AbortSignal;
  /** Aborted when the client has gone: attempts go on, waits do not. */
  leaving(): AbortSignal;
  /** Unix milliseconds: nothing is waited for beyond. */
  deadlineMs: number;
  /** Whether another attempt may still be made; false once the client has gone. */
  mayRetry(): boolean;
  /**
   * Reads a 2xx answer as far as is needed before anything goes to the client. If it throws an UnusableAnswer or a
   * TransportError, another deployment is tried.
   */
  accept(response: UpstreamResponse, deployment: Deployment): Promise<T>;
}

/** An upstream's own error in OpenAI's shape, fit to be shown to the client. */
export interface UpstreamRefusal {
  /** 400–599. */
  status: number;
  /** The answer's `error` member. */
  error: { message: string; type: string; param: string | null; code: string | null };
  /** `retry-after` and `retry-after-ms`, as it sent them; `retry-after` if it told the time in another way. */
  headers: Record<string, string>;
}

/** How the attempts went, as clients of SciLLM know it (`retries: {attempts, total_sleep_s, last_retry_after_s}`). */
export interface RetryFacts {
  /** Attempts that were made, the last one included. */
  attempts: number;
  /** Waited between them. */
  totalSleepMs: number;
  /** The last Retry-After of a provider; null if none sent one. */
  lastRetryAfterMs: number | null;
}

/** The attempt that answered, still to be ended by whoever reads the answer. */
export interface OpenAttempt {
  number: number;
  /** The index of its route among the plan's options. */
  option: number;
  deployment: Deployment;
  startedAtMs: number;
  /** The upstream's status, 2xx. */
  status: number;
  /** Its `x-request-id`, by which the provider finds the call in its log. */
  requestId: string | undefined;
  /** Further headers of the answer, names in lower case. */
  headers?: Readonly<Record<string, string>>;
  /** MUST be called when the answer has ended, well or not, unless the plan's signal is aborted. */
  report(end: Pick<AttemptRecord, 'outcome' | 'usage'> & { usageFault: UsageFault | null }): void;
}

/** What came of the attempts. `failed` holds every attempt that brought nothing, by number. */
export type AttemptsResult<T> = { failed: AttemptRecord[]; retries: RetryFacts } & (
  | { kind: 'accepted'; value: T; attempt: OpenAttempt }
  | { kind: 'refused'; refusal: UpstreamRefusal }
  | { kind: 'failed'; failure: TransportFailure | 'unusable' }
  /** Nothing was tried: every deployment rests, or is at its limit. */
  | { kind: 'unavailable'; retryAfterMs: number }
);

/** Picks deployments and holds the only retry loop of the system. */
export interface Router {
  /** Never throws for what an upstream does. */
  run<T>(plan: AttemptPlan<T>): Promise<AttemptsResult<T>>;
}

/** A 2xx answer that is none of its endpoint's: an error in disguise, a wrong content type, broken JSON. */
export class UnusableAnswer extends Error {
  override readonly name: string = 'UnusableAnswer';
}

/** An answer in which nothing was chosen. Some providers answer so what their filters refuse, so it says nothing of other calls. */
export class EmptyAnswer extends UnusableAnswer {
  override readonly name = 'EmptyAnswer';

  constructor() {
    super('the answer is empty');
  }
}

/** An answer that came without the evidence that is demanded. It says nothing of how the provider answers other calls. */
export class EvidenceTooLow extends UnusableAnswer {
  override readonly name = 'EvidenceTooLow';
}
