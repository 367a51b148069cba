import {
  EmptyAnswer,
  EvidenceTooLow,
  UnusableAnswer,
  type AttemptPlan,
  type OpenAttempt,
  type RouteOption,
  type UpstreamRefusal,
} from '../call/router.ts';
import { plainDeployment, type AttemptTimeouts } from '../call/routing-terms.ts';
import {
  outcomeOfFailure,
  TransportError,
  type Transport,
  type TransportFailure,
  type UpstreamResponse,
} from '../call/transport.ts';
import type { Clock, Deployment } from '../call/types.ts';
import type { AttemptRecord } from '../ledger/ledger.ts';
import type { FailureClass } from './classify-refusal.ts';
import type { DeploymentHealth, Lease } from './deployment-health.ts';
import { readLimitReset } from './read-limit-reset.ts';
import { readRefusal } from './read-refusal.ts';
import { readRetryAfter } from './read-retry-after.ts';

/** What an attempt works with. */
export interface TryDeps {
  transport: Transport;
  health: DeploymentHealth;
  clock: Clock;
}

/** One attempt that is to be made. */
export interface TryOptions<T> {
  plan: AttemptPlan<T>;
  /** Index of the route among the plan's. */
  option: number;
  route: RouteOption;
  deployment: Deployment;
  number: number;
}

/** An attempt that brought nothing. */
export interface FailedTry {
  kind: 'failed';
  class: FailureClass;
  /** What the client may be told; null if it is only `failure`. */
  refusal: UpstreamRefusal | null;
  failure: TransportFailure | 'unusable';
  /** What the provider asked to wait; null if nothing. */
  retryAfterMs: number | null;
  record: AttemptRecord;
}

/** An attempt that answered. */
export interface AcceptedTry<T> {
  kind: 'accepted';
  value: T;
  attempt: OpenAttempt;
}

/** An attempt under way. */
export interface RunningTry<T> {
  /** Rejects only for faults of the relay's own. */
  done: Promise<AcceptedTry<T> | FailedTry>;
  /** Gives it up in favour of another, whatever comes of it; its record says `aborted`. */
  giveUp(): AttemptRecord;
}

/** Sends a call to one deployment, and watches its time. */
export function startTry<T>(deps: TryDeps, options: TryOptions<T>): RunningTry<T> {
  const attempt = new Attempt(deps, options);
  return { done: attempt.run(), giveUp: () => attempt.giveUp() };
}

class Attempt<T> {
  readonly #deps: TryDeps;
  readonly #options: TryOptions<T>;
  readonly #lease: Lease;
  readonly #timeouts: AttemptTimeouts;
  readonly #startedAtMs: number;
  /** Null where nothing ends this attempt but the end of its call. */
  readonly #own: AbortController | null;
  #status: number | null = null;
  #isGivenUp = false;

  constructor(deps: TryDeps, options: TryOptions<T>) {
    const { deployment, plan, route } = options;
    this.#deps = deps;
    this.#options = options;
    this.#startedAtMs = deps.clock.nowMs();
    this.#timeouts = { ...route.terms.timeouts, ...(deployment.terms ?? plainDeployment).timeouts };
    const mayGiveUp = Object.keys(this.#timeouts).length > 0 || route.terms.hedgeAfterMs !== null;
    this.#own = mayGiveUp ? new AbortController() : null;
    this.#lease = deps.health.begin(deployment, { stream: plan.stream, tokens: assumedTokens(route) });
  }

  giveUp(): AttemptRecord {
    this.#isGivenUp = true;
    this.#lease.abandon();
    this.#lease.end();
    this.#own?.abort(new TransportError('aborted', 'another deployment was faster'));
    return this.#record('aborted');
  }

  async run(): Promise<AcceptedTry<T> | FailedTry> {
    const { deployment, plan, route } = this.#options;
    const { attemptMs, firstByteMs, idleMs } = this.#timeouts;
    const signal = this.#own ? AbortSignal.any([plan.signal, this.#own.signal]) : plan.signal;
    const timer = this.#startTimer();
    let response: UpstreamResponse | undefined;
    try {
      const body = route.bodyFor(deployment);
      // The headers of JSON come with the answer, so the time of the whole attempt is theirs.
      const timeouts = { headersMs: plan.stream ? (firstByteMs ?? attemptMs) : attemptMs, idleMs };
      const attempt = { callId: plan.callId, number: this.#options.number };
      response = await this.#deps.transport.send({
        deployment,
        path: plan.path,
        body,
        stream: plan.stream,
        signal,
        timeouts,
        attempt,
      });
      this.#status = response.status;
      if (response.status < 200 || response.status > 299) return await this.#refuse(response);
      refuseEncoded(response);
      const value = await plan.accept(response, deployment);
      if (this.#isGivenUp) response.destroy();
      return { kind: 'accepted', value, attempt: this.#open(response) };
    } catch (error) {
      response?.destroy();
      return this.#fail(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Of a stream until its first chunk, of JSON until its end: until it is accepted. */
  #startTimer(): NodeJS.Timeout | undefined {
    const { attemptMs, firstByteMs } = this.#timeouts;
    const most = this.#options.plan.stream ? Math.min(firstByteMs ?? Infinity, attemptMs ?? Infinity) : attemptMs;
    if (most === undefined || most === Infinity) return undefined;
    const late = () => this.#own?.abort(new TransportError('timeout', `the attempt took longer than ${most} ms`));
    return setTimeout(late, most);
  }

  #open(response: UpstreamResponse): OpenAttempt {
    const { deployment, number, option, plan } = this.#options;
    const lease = this.#lease;
    if (!this.#isGivenUp) {
      lease.answer(this.#deps.clock.nowMs() - this.#startedAtMs);
      // Where a call fails after this, its upstream is left; it may have been left just before.
      if (plan.signal.aborted) lease.end();
      else plan.signal.addEventListener('abort', () => lease.end(), { once: true });
    }
    return {
      ...{ number, option, deployment, startedAtMs: this.#startedAtMs, status: response.status },
      requestId: readRequestId(response),
      report: ({ outcome, usage, usageFault }) => {
        if (usage) lease.spend(usage.prompt + usage.completion);
        // Its numbers are what the relay is billed by: one that counts wrongly is not asked again at once.
        if (usageFault !== null) lease.rest(null);
        else if (outcome === 'ok') lease.succeed();
        else if (outcome !== 'aborted') lease.fail();
        lease.end();
      },
    };
  }

  async #refuse(response: UpstreamResponse): Promise<FailedTry> {
    const read = await readRefusal(response, this.#options.deployment.quirks);
    const { class: kind } = read;
    response.destroy();
    const nowMs = this.#deps.clock.nowMs();
    const told = readRetryAfter(response.headers, nowMs) ?? read.retryDelayMs;
    const retryAfterMs = told ?? (kind === 'rate_limit' ? readLimitReset(response.headers, nowMs) : null);
    if (!this.#isGivenUp) {
      if (kind === 'refused_key' && response.unpaid !== true) this.#lease.refuseKey();
      else if (kind === 'rate_limit') this.#lease.rest(retryAfterMs);
      else if (kind === 'transient' || read.isModelMissing) this.#lease.fail();
      else this.#lease.abandon();
    }
    this.#lease.end();
    const refusal = read.refusal && withWait(read.refusal, retryAfterMs);
    return { kind: 'failed', class: kind, refusal, failure: 'unusable', retryAfterMs, record: this.#record('refused') };
  }

  #fail(error: unknown): FailedTry {
    const isTransport = error instanceof TransportError;
    const isOurs = !isTransport && !(error instanceof UnusableAnswer);
    const failure = isTransport ? error.failure : 'unusable';
    // Elsewhere the answer would be as long.
    const isFinal = failure === 'aborted' || failure === 'too_long';
    // Whoever demands evidence that a provider cannot give, or sends what its filters refuse, must not take it from those who do not.
    const isOfThisCall = error instanceof EvidenceTooLow || error instanceof EmptyAnswer;
    if (isFinal || isOurs || isOfThisCall) this.#lease.abandon();
    else if (!this.#isGivenUp) this.#lease.fail();
    this.#lease.end();
    if (isOurs) throw error;
    const outcome = isTransport ? outcomeOfFailure(error.failure) : 'refused';
    return {
      ...{ kind: 'failed', class: classOf(isFinal, error), refusal: null, failure, retryAfterMs: null },
      record: this.#record(outcome),
    };
  }

  #record(outcome: AttemptRecord['outcome']): AttemptRecord {
    const { deployment, number } = this.#options;
    return {
      ...{ number, provider: deployment.provider, deployment: deployment.id },
      ...{ startedAtMs: this.#startedAtMs, endedAtMs: this.#deps.clock.nowMs() },
      ...{ outcome, status: this.#status, usage: null, usageKind: 'unknown' },
    };
  }
}

/** Asked once more, what answered with nothing would answer so again, and bill it. */
function classOf(isFinal: boolean, error: unknown): FailureClass {
  if (isFinal) return 'final';
  return error instanceof EmptyAnswer ? 'absent' : 'transient';
}

/** OpenAI's clients know a time to wait by these headers only. */
function withWait(refusal: UpstreamRefusal, retryAfterMs: number | null): UpstreamRefusal {
  if (retryAfterMs === null || Object.keys(refusal.headers).length > 0) return refusal;
  return { ...refusal, headers: { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) } };
}

/** Until the usage is known: a token has about four bytes, and the bound counts bytes. */
export function assumedTokens({ promptTokens }: RouteOption): number {
  return Math.ceil(promptTokens / 4);
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
