import type { AttemptPlan, AttemptsResult } from '../router.ts';
import type { UpstreamResponse } from '../transport.ts';
import type { Clock, Deployment, Route } from '../types.ts';
import type { CachedAnswer } from './answer-cache.ts';
import { cacheProvider, type CacheTerms } from './cache-terms.ts';

/** A route as its cached answer is sold: at its own price, by nobody but the relay. */
export function cachedRoute(route: Route, terms: CacheTerms, { origin }: CachedAnswer): Route {
  const { contextTokens, defaultMaxOutputTokens, embeddingDimensions, maxOutputTokens } = route;
  const deployment: Deployment = { ...origin, id: `${cacheProvider}@relay`, provider: cacheProvider };
  return {
    ...{ contextTokens, defaultMaxOutputTokens, embeddingDimensions, maxOutputTokens },
    ...{ model: terms.model, prices: terms.prices, deployments: [deployment] },
    ...{ firstSlice: false, outputLimitParameter: null },
  };
}

/** The only attempt of a call that is answered from the cache: the provider's bytes, read as they were the first time. */
export async function playAnswer<T>(
  plan: AttemptPlan<T>,
  { answer, clock }: { answer: CachedAnswer; clock: Clock },
): Promise<AttemptsResult<T>> {
  const deployment = plan.options[0]?.deployments[0];
  const startedAtMs = clock.nowMs();
  const retries = { attempts: 1, totalSleepMs: 0, lastRetryAfterMs: null };
  if (!deployment) return { kind: 'unavailable', retryAfterMs: 0, failed: [], retries };
  const value = await plan.accept(responseOf(answer), deployment);
  const ageSeconds = Math.max(0, Math.floor((startedAtMs - answer.storedAtMs) / 1_000));
  const attempt = {
    ...{ number: 1, option: 0, deployment, startedAtMs, status: 200, requestId: undefined },
    headers: { 'x-autopay-cache': 'hit', age: String(ageSeconds) },
    report: () => undefined,
  };
  return { kind: 'accepted', value, attempt, failed: [], retries };
}

function responseOf({ body, contentType }: CachedAnswer): UpstreamResponse {
  return {
    status: 200,
    headers: { 'content-type': contentType },
    body: (async function* () {
      yield body;
    })(),
    destroy: () => undefined,
  };
}
