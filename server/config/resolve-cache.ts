import { cachedModel, cacheProvider, type CacheTerms } from '../call/cache/cache-terms.ts';
import type { ConfigFile } from './config-schema.ts';
import { listCachePrices } from './list-prices.ts';
import type { ConfigIssue } from './report-issues.ts';
import type { PriceCurrency } from './resolve-tokens.ts';

/** The longest name of a model that can be published on the chain, bytes. */
const maxNameBytes = 128;

/** How a route's answers are sold again; null if they are not. What is wrong is pushed to `issues`. */
export function resolveCache(options: {
  file: ConfigFile;
  index: number;
  currency: PriceCurrency;
  issues: ConfigIssue[];
}): CacheTerms | null {
  const { file, index, issues } = options;
  const route = file.routes[index];
  if (!route?.cache) return null;
  const path = ['routes', index, 'cache'];
  const model = cachedModel(route.model);
  if (route.free) issues.push({ path, message: 'is for routes that cost; this one is free, so remove it' });
  if (route.auto) issues.push({ path, message: 'belongs to the routes that this one stands for; move it there' });
  if (Buffer.byteLength(model) > maxNameBytes) {
    issues.push({ path, message: `needs a model of ${maxNameBytes - '@cache'.length} bytes at most` });
  }
  if (file.routes.some((other) => other.model === model)) {
    issues.push({ path, message: `sells answers as "${model}", which is the model of another route; rename that one` });
  }
  if (file.providers.some(({ name }) => name === cacheProvider)) {
    issues.push({ path, message: `sells answers as provider "${cacheProvider}"; rename the provider of that name` });
  }
  const { ttlSeconds, scope } = route.cache;
  return { ttlMs: ttlSeconds * 1_000, scope, model, prices: listCachePrices(options) ?? [] };
}
