import type { AttemptPlan, AttemptsResult, RetryFacts, RouteOption } from '../call/router.ts';
import { plainDeployment, type FallbackReason } from '../call/routing-terms.ts';
import type { Deployment } from '../call/types.ts';
import type { AttemptRecord } from '../ledger/ledger.ts';
import { orderDeployments, type Random } from './order-deployments.ts';
import { planWait, type BackoffTerms } from './plan-wait.ts';
import {
  assumedTokens,
  startTry,
  type AcceptedTry,
  type FailedTry,
  type RunningTry,
  type TryDeps,
} from './try-deployment.ts';

/** Whatever routes and repetitions there are, no call makes more. */
const maxAttempts = 8;
/** After this the same deployments are worth another look if nobody knows a better time. */
const unknownWaitMs = 1_000;

/** What the attempts of calls work with. */
export interface RunDeps extends TryDeps {
  backoff: BackoffTerms;
  random: Random;
  /** Resolves after so many milliseconds, or as soon as the signal aborts. */
  wait(durationMs: number, signal: AbortSignal): Promise<void>;
}

/** Makes the attempts of one call: deployment after deployment, repetitions, then other routes. */
export class AttemptRun<T> {
  readonly #deps: RunDeps;
  readonly #plan: AttemptPlan<T>;
  readonly #failed: AttemptRecord[] = [];
  readonly #retries: RetryFacts = { attempts: 0, totalSleepMs: 0, lastRetryAfterMs: null };
  /** Whether nothing else could answer; see DeploymentHealth.freeAtMs. */
  readonly #isOnly: boolean;
  #freeAtMs = Infinity;

  constructor(deps: RunDeps, plan: AttemptPlan<T>) {
    this.#deps = deps;
    this.#plan = plan;
    this.#isOnly = plan.options.length === 1 && plan.options[0]?.deployments.length === 1;
  }

  async run(): Promise<AttemptsResult<T>> {
    const waiting = this.#plan.options.map((_, at) => at);
    let last: FailedTry | undefined;
    let reason: FallbackReason | null = null;
    for (;;) {
      const index = waiting.find((at) => this.#plan.options[at]?.after === reason);
      const option = index === undefined ? undefined : this.#plan.options[index];
      if (index === undefined || !option || (last && !this.#mayGoOn())) return this.#end(last);
      waiting.splice(waiting.indexOf(index), 1);
      if (index > 0 && !(await option.enter())) continue;
      const tried = await this.#tryRoute(index, option);
      if (tried?.kind === 'accepted') return { ...tried, ...this.#facts() };
      last = tried ?? last;
      reason = reasonAfter(tried);
    }
  }

  #mayGoOn(): boolean {
    return this.#retries.attempts < maxAttempts && this.#plan.mayRetry();
  }

  /** Each deployment once, then so many repetitions as the route allows; undefined if none was free. */
  async #tryRoute(index: number, option: RouteOption): Promise<AcceptedTry<T> | FailedTry | undefined> {
    const tried: Deployment[] = [];
    let last: FailedTry | undefined;
    for (let repetition = -1; ;) {
      const deployment = this.#pick(option, repetition < 0 ? tried : none);
      if (deployment) {
        tried.push(deployment);
        const result = await this.#attempt({ index, option, deployment, tried });
        if (result.kind === 'accepted' || reasonAfter(result) !== 'general') return result;
        last = result;
      }
      if (last && !this.#mayGoOn()) return last;
      if (deployment && repetition < 0) continue;
      repetition += 1;
      if (!last || !mayPass(last) || repetition >= option.terms.retries) return last;
      if (!(await this.#wait(repetition, last))) return last;
    }
  }

  async #wait(repetition: number, { retryAfterMs }: FailedTry): Promise<boolean> {
    const { backoff, clock, random } = this.#deps;
    const leftMs = this.#plan.deadlineMs - clock.nowMs();
    const waitMs = planWait(backoff, { repetition, retryAfterMs, leftMs, random: random() });
    if (waitMs === null) return false;
    this.#retries.totalSleepMs += waitMs;
    await this.#deps.wait(waitMs, AbortSignal.any([this.#plan.signal, this.#plan.leaving()]));
    return this.#mayGoOn();
  }

  /** The best deployment that is free and not `tried`. */
  #pick(option: RouteOption, tried: readonly Deployment[]): Deployment | undefined {
    const { health, random } = this.#deps;
    const { outputTokens, promptTokens } = option;
    const tokens = assumedTokens(option);
    const free = option.deployments.filter((deployment) => {
      if (tried.includes(deployment)) return false;
      const atMs = health.freeAtMs(deployment, { tokens, isOnly: this.#isOnly });
      if (atMs !== null) this.#freeAtMs = Math.min(this.#freeAtMs, atMs);
      return atMs === null;
    });
    const [first] = free;
    if (!first || free.length === 1) return first;
    const candidates = free.map((deployment) => ({
      deployment,
      terms: deployment.terms ?? plainDeployment,
      ...health.describe(deployment, this.#plan.stream),
    }));
    const shape = { promptTokens, outputTokens };
    return orderDeployments(option.terms.strategy, candidates, { shape, random })[0]?.deployment;
  }

  async #attempt(ask: AttemptAsk): Promise<AcceptedTry<T> | FailedTry> {
    const first = this.#start(ask);
    const { hedgeAfterMs } = ask.option.terms;
    if (hedgeAfterMs === null) return this.#note(await first.done);
    const timer = new AbortController();
    const late = this.#deps.wait(hedgeAfterMs, timer.signal).then(() => undefined);
    const early = await Promise.race([first.done, late]);
    timer.abort();
    const deployment = early || !this.#mayGoOn() ? undefined : this.#pick(ask.option, ask.tried);
    if (!deployment) return this.#note(early ?? (await first.done));
    ask.tried.push(deployment);
    return this.#race(first, this.#start({ ...ask, deployment }));
  }

  /** The first of the two that answers; the other is given up, and recorded as that. */
  async #race(first: RunningTry<T>, second: RunningTry<T>): Promise<AcceptedTry<T> | FailedTry> {
    const [result, other] = await Promise.race([
      first.done.then((tried) => [tried, second] as const),
      second.done.then((tried) => [tried, first] as const),
    ]);
    if (result.kind === 'accepted') {
      // What comes of it is of no interest, whatever it is.
      other.done.catch(() => undefined);
      this.#failed.push(other.giveUp());
      return result;
    }
    this.#note(result);
    return this.#note(await other.done);
  }

  #start({ index, option, deployment }: AttemptAsk): RunningTry<T> {
    this.#retries.attempts += 1;
    const number = this.#retries.attempts;
    return startTry(this.#deps, { plan: this.#plan, option: index, route: option, deployment, number });
  }

  #note(result: AcceptedTry<T> | FailedTry): AcceptedTry<T> | FailedTry {
    if (result.kind === 'failed') {
      this.#failed.push(result.record);
      this.#retries.lastRetryAfterMs = result.retryAfterMs ?? this.#retries.lastRetryAfterMs;
    }
    return result;
  }

  #facts(): { failed: AttemptRecord[]; retries: RetryFacts } {
    return { failed: this.#failed.sort((left, right) => left.number - right.number), retries: this.#retries };
  }

  #end(last: FailedTry | undefined): AttemptsResult<T> {
    if (last?.refusal) return { kind: 'refused', refusal: last.refusal, ...this.#facts() };
    if (last) return { kind: 'failed', failure: last.failure, ...this.#facts() };
    const waitMs = this.#freeAtMs === Infinity ? unknownWaitMs : this.#freeAtMs - this.#deps.clock.nowMs();
    return { kind: 'unavailable', retryAfterMs: Math.max(waitMs, 1), ...this.#facts() };
  }
}

interface AttemptAsk {
  index: number;
  option: RouteOption;
  deployment: Deployment;
  tried: Deployment[];
}

const none: readonly Deployment[] = [];

/** Whether it may answer after a while. */
function mayPass({ class: kind }: FailedTry): boolean {
  return kind !== 'refused_key' && kind !== 'absent';
}

/** Which routes may help after a failure; null if none. Where nothing was free, whatever is. */
function reasonAfter(tried: FailedTry | undefined): FallbackReason | null {
  switch (tried?.class) {
    case undefined:
    case 'transient':
    case 'rate_limit':
    case 'refused_key':
    case 'absent':
      return 'general';
    case 'context_window':
    case 'content_policy':
      return tried.class;
    case 'request':
    case 'final':
      return null;
  }
}
