import { zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../../protocol/pricing/price-tree.ts';
import type { TokenPrices } from '../../protocol/pricing/token-prices.ts';
import { cachedModel } from '../call/cache/cache-terms.ts';
import { applyPrices } from './apply-prices.ts';
import { priceFileSchema, type PriceFile } from './config-schema.ts';
import type { ConfigIssue, ConfigPath } from './report-issues.ts';
import { resolveCurrency, type PriceCurrency } from './resolve-tokens.ts';

type RoutePrice = NonNullable<PriceFile['routes'][number]['price']>;

/**
 * The rows of one route: what its model costs in each token, in the order of the tokens; null if it is free. What is wrong
 * is pushed to `issues`.
 */
export function listRoutePrices(options: {
  file: PriceFile;
  index: number;
  currency: PriceCurrency;
  issues: ConfigIssue[];
}): PriceRow[] | null {
  const { file, index, currency, issues } = options;
  const route = file.routes[index];
  if (!route?.price) return null;
  const path = ['routes', index, 'price'];
  const prices = readPrices(route.price, currency, path);
  if (Object.values(prices).every((price) => price === 0n)) {
    issues.push({ path, message: 'is zero in every part; say free: true instead' });
  }
  return rowsIn(file, { model: route.model, prices, currency, path });
}

/** The rows of a route's answers from the cache: each costs the same, whatever its tokens; null if they are not sold again. */
export function listCachePrices(options: {
  file: PriceFile;
  index: number;
  currency: PriceCurrency;
  issues: ConfigIssue[];
}): PriceRow[] | null {
  const { file, index, currency, issues } = options;
  const route = file.routes[index];
  if (!route?.cache) return null;
  const path = ['routes', index, 'cache', 'price'];
  const none = { prompt: 0n, cachedPrompt: 0n, cacheWrite: 0n, audioPrompt: 0n, completion: 0n, audioCompletion: 0n };
  const prices = { ...none, request: currency.read(route.cache.price, path) };
  if (prices.request === 0n) issues.push({ path, message: 'is zero; what is paid for has a price, so set one' });
  return rowsIn(file, { model: cachedModel(route.model), prices, currency, path });
}

/** What a model costs in each token, in the order of the tokens. */
function rowsIn(
  file: Pick<PriceFile, 'tokens'>,
  { model, prices, currency, path }: { model: string; prices: TokenPrices; currency: PriceCurrency; path: ConfigPath },
): PriceRow[] {
  return file.tokens.map((token) => {
    const inToken = (amount: bigint) => currency.inToken(amount, token, path);
    return {
      model,
      token: token.address,
      inUsd: token.oracle,
      prompt: inToken(prices.prompt),
      cachedPrompt: inToken(prices.cachedPrompt),
      cacheWrite: inToken(prices.cacheWrite),
      audioPrompt: inToken(prices.audioPrompt),
      completion: inToken(prices.completion),
      audioCompletion: inToken(prices.audioCompletion),
      request: inToken(prices.request),
    };
  });
}

/** A price in the smallest unit of the price currency. Parts without a price of their own cost what the whole costs. */
function readPrices(price: RoutePrice, currency: PriceCurrency, path: ConfigPath): TokenPrices {
  const read = (key: keyof RoutePrice, otherwise: bigint) => {
    const text = price[key];
    return text === undefined ? otherwise : currency.read(text, [...path, key]);
  };
  const prompt = read('prompt', 0n);
  const completion = read('completion', 0n);
  return {
    prompt,
    cachedPrompt: read('cachedPrompt', prompt),
    cacheWrite: read('cacheWrite', prompt),
    audioPrompt: read('audioPrompt', prompt),
    completion,
    audioCompletion: read('audioCompletion', completion),
    request: read('request', 0n),
  };
}

/**
 * The root of the price table of a configuration whose contracts are not known yet: what a deployment publishes first.
 *
 * @param config the content of autopay.yaml, parsed, imports taken in; only `tokens`, `priceCurrency`, `prices` and `routes` are looked at
 * @returns 32 zero bytes if nothing costs anything
 * @throws AutoPayError `invalid_configuration`
 */
export function priceRootOf(config: unknown): Hex {
  const parsed = priceFileSchema.safeParse(config);
  const issues: ConfigIssue[] = [];
  if (parsed.success) {
    const file = applyPrices(parsed.data, issues);
    const currency = resolveCurrency(file, issues);
    const rows = file.routes.flatMap((_, index) => [
      ...(listRoutePrices({ file, index, currency, issues }) ?? []),
      ...(listCachePrices({ file, index, currency, issues }) ?? []),
    ]);
    if (issues.length === 0) return rows.length === 0 ? zeroBytes32 : rootOfPrices(rows);
  } else {
    issues.push(...parsed.error.issues.map(({ path, message }) => ({ path: path.map(String), message })));
  }
  const faults = issues.slice(0, 8).map(({ path, message }) => `${path.join('.')} ${message}`);
  throw new AutoPayError('invalid_configuration', `The prices cannot be read: ${faults.join('; ')}.`);
}
