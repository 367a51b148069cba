import { outcomeOfFailure, TransportError, type Transport, type UpstreamResponse } from '../call/transport.ts';
import {
  UnusableAnswer,
  type AttemptPlan,
  type AttemptsResult,
  type OpenAttempt,
  type Router,
} from '../call/router.ts';
import type { Clock, Deployment } from '../call/types.ts';
import type { AttemptRecord } from '../ledger/ledger.ts';
import { readRefusal } from './read-refusal.ts';

/** A route may list more deployments; no call tries more. */
const maxAttempts = 8;

/**
 * Statuses after which the next deployment is tried: those of overload and failure, and those that say that the relay
 * itself, not its client, is unwelcome there (no credit, wrong key).
 */
function isRetryable(status: number): boolean {
  return status >= 500 || [401, 402, 403, 407, 408, 429].includes(status) || status < 400;
}

/** Makes the router: deployments in order, each once, until one answers. It is the only retry loop of the system. */
export function createRouter(options: { transport: Transport; clock: Clock }): Router {
  return { run: (plan) => runAttempts(options, plan) };
}

interface RouterDeps {
  transport: Transport;
  clock: Clock;
}

type Tried<T> = AttemptsResult<T> & { retryable: boolean };

async function runAttempts<T>(deps: RouterDeps, plan: AttemptPlan<T>): Promise<AttemptsResult<T>> {
  const failed: AttemptRecord[] = [];
  let last: AttemptsResult<T> = { kind: 'failed', failure: 'unreachable', failed };
  for (const deployment of plan.deployments.slice(0, maxAttempts)) {
    const tried = await tryDeployment(deps, { plan, deployment, failed });
    last = tried;
    if (!tried.retryable || !plan.mayRetry()) break;
  }
  return last;
}

interface TryOptions<T> {
  plan: AttemptPlan<T>;
  deployment: Deployment;
  failed: AttemptRecord[];
}

async function tryDeployment<T>(deps: RouterDeps, options: TryOptions<T>): Promise<Tried<T>> {
  const { plan, deployment, failed } = options;
  const startedAtMs = deps.clock.nowMs();
  const number = failed.length + 1;
  let status: number | null = null;
  let response: UpstreamResponse | undefined;
  const fail = (outcome: AttemptRecord['outcome']): void => {
    const endedAtMs = deps.clock.nowMs();
    const from = { number, provider: deployment.provider, deployment: deployment.id, startedAtMs, endedAtMs };
    failed.push({ ...from, outcome, status, usage: null, usageKind: 'unknown' });
  };
  try {
    const body = plan.bodyFor(deployment);
    response = await deps.transport.send({ deployment, body, stream: plan.stream, signal: plan.signal });
    status = response.status;
    if (status >= 200 && status < 300) {
      refuseEncoded(response);
      const requestId = readRequestId(response);
      const attempt: OpenAttempt = { number, deployment, startedAtMs, status, requestId };
      return { kind: 'accepted', value: await plan.accept(response, deployment), attempt, failed, retryable: false };
    }
    const refusal = await readRefusal(response);
    response.destroy();
    fail('refused');
    const retryable = isRetryable(status);
    return refusal
      ? { kind: 'refused', refusal, failed, retryable }
      : { kind: 'failed', failure: 'unusable', failed, retryable };
  } catch (error) {
    response?.destroy();
    if (error instanceof TransportError) {
      const { failure } = error;
      fail(outcomeOfFailure(failure));
      // Elsewhere the answer would be as long.
      const retryable = failure !== 'aborted' && failure !== 'too_long';
      return { kind: 'failed', failure, failed, retryable };
    }
    if (!(error instanceof UnusableAnswer)) throw error;
    fail('refused');
    return { kind: 'failed', failure: 'unusable', failed, retryable: true };
  }
}

/** The provider's name of the call; undefined where it is none that could stand in a header again. */
function readRequestId({ headers }: UpstreamResponse): string | undefined {
  return /^[\x21-\x7e]{1,200}/.exec(headers['x-request-id'] ?? '')?.[0];
}

/** The request asked for plain bytes; others could neither be metered nor passed on. */
function refuseEncoded(response: UpstreamResponse): void {
  const encoding = response.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw new UnusableAnswer(`the answer is encoded as ${encoding}`);
}
