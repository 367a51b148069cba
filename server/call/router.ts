import type { AttemptRecord } from '../ledger/ledger.ts';
import type { TransportFailure, UpstreamResponse } from './transport.ts';
import type { Deployment } from './types.ts';

/** The attempts of one call, as the router is to make them. */
export interface AttemptPlan<T> {
  /** Tried in this order, each at most once. */
  deployments: readonly Deployment[];
  bodyFor(deployment: Deployment): Uint8Array;
  stream: boolean;
  signal: AbortSignal;
  /** Whether another attempt may still be made; false once the client has gone. */
  mayRetry(): boolean;
  /**
   * Reads a 2xx answer as far as is needed before anything goes to the client. If it throws an UnusableAnswer or a
   * TransportError, the next deployment is tried.
   */
  accept(response: UpstreamResponse, deployment: Deployment): Promise<T>;
}

/** An upstream's own error in OpenAI's shape, fit to be shown to the client. */
export interface UpstreamRefusal {
  /** 400–599. */
  status: number;
  /** The answer's `error` member. */
  error: { message: string; type: string; param: string | null; code: string | null };
  /** `retry-after` and `retry-after-ms`, if it sent them. */
  headers: Record<string, string>;
}

/** The attempt that answered, still to be ended by whoever reads the answer. */
export interface OpenAttempt {
  number: number;
  deployment: Deployment;
  startedAtMs: number;
  /** The upstream's status, 2xx. */
  status: number;
  /** Its `x-request-id`, by which the provider finds the call in its log. */
  requestId: string | undefined;
}

/** What came of the attempts. `failed` holds every attempt that brought nothing, in order. */
export type AttemptsResult<T> =
  | { kind: 'accepted'; value: T; attempt: OpenAttempt; failed: AttemptRecord[] }
  | { kind: 'refused'; refusal: UpstreamRefusal; failed: AttemptRecord[] }
  | {
      kind: 'failed';
      failure: TransportFailure | 'unusable';
      failed: AttemptRecord[];
    };

/** Picks deployments and holds the only retry loop of the system. */
export interface Router {
  /** Never throws for what an upstream does. */
  run<T>(plan: AttemptPlan<T>): Promise<AttemptsResult<T>>;
}

/** A 2xx answer that is no chat completion: an error in disguise, a wrong content type, broken JSON. */
export class UnusableAnswer extends Error {
  override readonly name = 'UnusableAnswer';
}
