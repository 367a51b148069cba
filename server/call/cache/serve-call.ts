import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { handleCall } from '../handle-call.ts';
import type { AttemptPlan, AttemptsResult, Router } from '../router.ts';
import type { ChooseRoutes } from '../route-choice.ts';
import type { CallDeps, CallRequest, CallSummary, ResponseSink } from '../types.ts';
import type { AnswerCache, CachedAnswer } from './answer-cache.ts';
import { cacheKeyOf } from './cache-key.ts';
import { cachedRoute, playAnswer } from './play-answer.ts';
import { readCacheControl } from './read-cache-control.ts';
import { recordAnswer, type RecordedAnswer } from './record-answer.ts';

/**
 * The life of a call (see handleCall), answered from the cache where that has the answer. Such a call is quoted, reserved, metered,
 * charged and logged like any other: as one of the model `<route>@cache`, whose price is per call. Where today's budget of that model
 * does not cover it, the call is a new one: of the route's own model, at its price, within its budget.
 *
 * An answer is stored once it was charged whole, with usage that can be: never an error, one that broke off, one of a fallback, or one whose
 * output limit was lowered to what its payer could pay.
 *
 * @throws AutoPayError as handleCall
 */
export async function serveCall(deps: CallDeps, request: CallRequest, sink: ResponseSink): Promise<void> {
  const { cache } = deps;
  if (cache === undefined) return handleCall(deps, request, sink);
  const call = new CacheableCall(deps, cache, request);
  try {
    await handleCall({ ...deps, ...call.deps }, request, sink);
  } catch (error) {
    const isOverBudget = error instanceof AutoPayError && error.code === 'model_budget_exceeded';
    if (!isOverBudget || !call.isHit) throw error;
    // Refused before anything was sent; and a refused reservation uses up neither the payment nor the Idempotency-Key.
    const anew = new CacheableCall(deps, cache, request, { mayRead: false });
    await handleCall({ ...deps, ...anew.deps }, request, sink);
  }
}

/** One call on its way past the cache. */
class CacheableCall {
  readonly #deps: CallDeps;
  readonly #cache: AnswerCache;
  readonly #request: CallRequest;
  readonly #mayRead: boolean;
  /** Set where the answer is found. It stays the same for this call, whatever becomes of the cache. */
  #found: CachedAnswer | undefined;
  /** Set where the answer may be stored. */
  #key: string | null = null;
  #isPast = false;
  #recorded: (RecordedAnswer & Pick<CachedAnswer, 'origin'>) | undefined;

  constructor(deps: CallDeps, cache: AnswerCache, request: CallRequest, { mayRead = true } = {}) {
    this.#deps = deps;
    this.#cache = cache;
    this.#request = request;
    this.#mayRead = mayRead;
  }

  /** Whether the cache has its answer. */
  get isHit(): boolean {
    return this.#found !== undefined;
  }

  /** What this call does otherwise than others. */
  get deps(): Pick<CallDeps, 'chooseRoutes' | 'onFinish' | 'router'> {
    const router: Router = { run: (plan) => this.#run(plan) };
    return { chooseRoutes: this.#choose, router, onFinish: (summary) => this.#finish(summary) };
  }

  readonly #choose: ChooseRoutes = (ask) => {
    const choice = this.#deps.chooseRoutes(ask);
    const [first] = choice.routes;
    const { cache: terms, prices } = first.route;
    // The evidence of an answer is about the call that it was made for: sold again, it is the relay's word.
    if (!terms || prices === null || first.minimumTiers !== undefined) return choice;
    this.#isPast = true;
    const { chainId } = this.#deps;
    const key = cacheKeyOf({ request: this.#request, asked: ask.asked, chosen: first, terms, chainId });
    if (key === null) return choice;
    const { mayRead, mayStore, maxAgeMs } = readCacheControl(this.#request.headers['cache-control']);
    const nowMs = this.#deps.clock.nowMs();
    const found =
      mayRead && this.#mayRead
        ? this.#cache.find(key, { nowMs, maxAgeMs: Math.min(maxAgeMs, terms.ttlMs) })
        : undefined;
    this.#found = found;
    if (!found) {
      this.#key = mayStore ? key : null;
      return choice;
    }
    const route = cachedRoute(first.route, terms, found);
    return { ...choice, routes: [{ route, deployments: route.deployments, after: null }] };
  };

  async #run<T>(plan: AttemptPlan<T>): Promise<AttemptsResult<T>> {
    const { clock, router } = this.#deps;
    if (this.#found) return playAnswer(plan, { answer: this.#found, clock });
    const recorded = new Map<T, RecordedAnswer>();
    // An answer that is no longer than its payer's headroom allowed is not what others would pay for.
    const isShrunk = plan.options[0]?.shrunk === true;
    const accept: AttemptPlan<T>['accept'] = async (response, deployment) => {
      if (this.#key === null || isShrunk) return plan.accept(response, deployment);
      const answer = recordAnswer(response);
      const value = await plan.accept(answer.response, deployment);
      recorded.set(value, answer);
      return value;
    };
    const result = await router.run({ ...plan, accept });
    if (result.kind !== 'accepted' || !this.#isPast) return result;
    const { attempt, value } = result;
    const answer = recorded.get(value);
    if (answer && attempt.option === 0) this.#recorded = { ...answer, origin: attempt.deployment };
    return { ...result, attempt: { ...attempt, headers: { 'x-autopay-cache': 'miss' } } };
  }

  #finish(summary: CallSummary): void {
    const body = isWhole(summary) ? this.#recorded?.take() : null;
    if (this.#key !== null && this.#recorded && body) {
      const { contentType, origin } = this.#recorded;
      const { model, quirks } = origin;
      const storedAtMs = this.#deps.clock.nowMs();
      this.#cache.put(this.#key, { body, contentType, storedAtMs, origin: { model, quirks } });
    }
    this.#deps.onFinish?.(summary);
  }
}

function isWhole({ outcome, reason, usageFault }: CallSummary): boolean {
  return outcome === 'charged' && reason === undefined && usageFault === undefined;
}
