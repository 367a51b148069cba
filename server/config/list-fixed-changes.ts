import { isDeepStrictEqual } from 'node:util';
import type { RelayConfig } from './relay-config.ts';

/** What a relay takes over while it runs; the limits are those of calls, not of its sockets. */
const changeable: readonly string[] = ['providers', 'routes', 'routing', 'files', 'notices', 'secrets'];
const changeableLimits: readonly string[] = [
  ...['maxResponseBytes', 'headersTimeoutMs', 'idleTimeoutMs', 'callTimeoutMs', 'drainTimeoutMs'],
];
/** Of `payment`, and what it is in each token. */
const payerBudget: readonly string[] = ['payerBudget'];

/**
 * What differs between two configurations that a running relay cannot take over, as paths of autopay.yaml: `listen.port`. Routes,
 * providers, prices, rules of routing, the limits of calls and what each wallet may spend are not among it.
 */
export function listFixedChanges(before: RelayConfig, after: RelayConfig): string[] {
  const isSingle = before.chains.length === 1 && after.chains.length === 1;
  const paths = diff([], fixedPart(before), fixedPart(after));
  // The file's own words: of a single chain `chain`, `contracts` and `tokens`; of what is derived, what it is made from.
  const named = paths.map((path) =>
    (isSingle ? path.replace(/^chains\.0\./, '') : path)
      .replace(/\.finality\..*$/, '.confirmations')
      .replace(/^sellers\b.*$/, 'providers.auth'),
  );
  return [...new Set(named)];
}

function fixedPart(config: RelayConfig): Record<string, unknown> {
  const { chain: _chain, contracts: _contracts, tokens: _tokens, ...rest } = config;
  return {
    ...without(rest, changeable),
    limits: without(config.limits, changeableLimits),
    payment: without(config.payment, payerBudget),
    chains: config.chains.map(({ routes: _routes, tokens: listed, ...fixed }) => {
      return { ...fixed, tokens: listed.map((token) => without(token, payerBudget)) };
    }),
  };
}

function without(value: object, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

function diff(path: readonly string[], before: unknown, after: unknown): string[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isObject(before) || !isObject(after)) return [path.join('.')];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => diff([...path, key], before[key], after[key]));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
