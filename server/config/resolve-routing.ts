import { meetsTier } from '../../protocol/evidence/meets-tier.ts';
import {
  plainDeployment,
  type AttemptTimeouts,
  type DeploymentTerms,
  type PriceCeiling,
  type RouteTerms,
} from '../call/routing-terms.ts';
import { compilePattern } from '../routing/compile-rules.ts';
import type { ConfigFile } from './config-schema.ts';
import { nearestName } from './nearest-name.ts';
import { tierOfProvider } from './resolve-evidence.ts';
import { parseDecimal } from './parse-decimal.ts';
import { parsePriceCeiling } from './parse-price-ceiling.ts';
import type { ConfigIssue, ConfigPath } from './report-issues.ts';
import type { PriceCurrency } from './resolve-tokens.ts';

type RouteFile = ConfigFile['routes'][number];
type DeploymentFile = RouteFile['deployments'][number];

const usd = 'USD';

/** What the file says of how a deployment is used. */
export function resolveDeploymentTerms(
  deployment: DeploymentFile,
  options: {
    currency: PriceCurrency;
    path: ConfigPath;
    providers: ConfigFile['providers'];
    issues: ConfigIssue[];
  },
): DeploymentTerms {
  const { currency, issues, path, providers } = options;
  const { cost, maxConcurrentCalls, order, region, rpm, tags, timeouts, tools, tpm, vision, weight } = deployment;
  const shown = tierOfProvider(providers.find(({ name }) => name === deployment.provider));
  const evidenceTier = deployment.evidenceTier ?? shown;
  if (!meetsTier(shown, evidenceTier)) {
    const message = `is more than the evidence of "${deployment.provider}" can show, which is ${shown}`;
    issues.push({ path: [...path, 'evidenceTier'], message });
  }
  return {
    ...plainDeployment,
    ...{ order, region, tools, vision, evidenceTier },
    ...{ weight: weight ?? null, rpm: rpm ?? null, tpm: tpm ?? null, maxConcurrentCalls: maxConcurrentCalls ?? null },
    cost: cost
      ? {
          prompt: currency.read(cost.prompt, [...path, 'cost', 'prompt']),
          completion: currency.read(cost.completion, [...path, 'cost', 'completion']),
        }
      : null,
    tags: tags ?? [],
    timeouts: withoutGaps(timeouts),
  };
}

/** What the file says of how a route finds a deployment. What is wrong is pushed to `issues`. */
export function resolveRouteTerms(
  file: ConfigFile,
  index: number,
  { currency, issues }: { currency: PriceCurrency; issues: ConfigIssue[] },
): RouteTerms {
  const route = file.routes[index];
  if (!route) throw new RangeError('the route is one of the file');
  const path: ConfigPath = ['routes', index];
  const { routing } = file;
  const names = file.routes.map(({ model }) => model);
  const own = (key: 'fallbacks' | 'contextWindowFallbacks' | 'contentPolicyFallbacks') => {
    const listed = route[key] ?? [];
    requireRoutes(listed, { names, path: [...path, key], issues });
    if (listed.includes(route.model)) issues.push({ path: [...path, key], message: 'names the route itself' });
    return listed;
  };
  requireRoutes(route.auto?.among ?? [], { names, path: [...path, 'auto', 'among'], issues });
  const common = (routing.fallbacks ?? []).filter((name) => name !== route.model);
  return {
    strategy: route.strategy ?? routing.strategy,
    fallbacks: {
      general: route.fallbacks ? own('fallbacks') : common,
      context_window: own('contextWindowFallbacks'),
      content_policy: own('contentPolicyFallbacks'),
    },
    retries: route.retries ?? routing.retries,
    hedgeAfterMs: route.hedgeAfterMs ?? null,
    timeouts: withoutGaps(route.timeouts),
    priceCeiling:
      route.maxPrice === undefined ? null : resolveCeiling(route.maxPrice, { file, currency, path, issues }),
    auto: route.auto ?? null,
    ...(route.minimumEvidenceTier !== undefined && { minimumEvidenceTier: route.minimumEvidenceTier }),
  };
}

/** Checks what `routing` says for all routes: that names are routes, and patterns are RE2's. */
export function checkRouting({ routes, routing }: ConfigFile, issues: ConfigIssue[]): void {
  const names = routes.map(({ model }) => model);
  requireRoutes(routing.fallbacks ?? [], { names, path: ['routing', 'fallbacks'], issues });
  routing.rules.forEach(({ name, targets, when }, index) => {
    const path: ConfigPath = ['routing', 'rules', index];
    if (routing.rules.findIndex((rule) => rule.name === name) !== index) {
      issues.push({ path: [...path, 'name'], message: 'is the name of another rule already' });
    }
    requireRoutes(targets, { names, path: [...path, 'targets'], issues });
    requireRoutes(when.models ?? [], { names, path: [...path, 'when', 'models'], issues });
    if (when.pattern !== undefined) requirePattern(when.pattern, [...path, 'when', 'pattern'], issues);
    for (const [header, text] of Object.entries(when.headers ?? {})) {
      requirePattern(text, [...path, 'when', 'headers', header], issues);
    }
  });
}

function requireRoutes(
  listed: readonly string[],
  { issues, names, path }: { names: readonly string[]; path: ConfigPath; issues: ConfigIssue[] },
): void {
  listed.forEach((name, at) => {
    if (names.includes(name)) return;
    const nearest = nearestName(name, names);
    issues.push({
      path: [...path, at],
      message: `is the model of no route${nearest ? `; did you mean "${nearest}"?` : ''}`,
    });
  });
}

function requirePattern(text: string, path: ConfigPath, issues: ConfigIssue[]): void {
  try {
    compilePattern(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    issues.push({ path, message: `is no RE2 pattern (${reason}); backreferences and look-around are not part of RE2` });
  }
}

/** A ceiling in a token, or in US dollars where prices are in those. */
function resolveCeiling(
  text: string,
  {
    currency,
    file,
    issues,
    path,
  }: { file: ConfigFile; currency: PriceCurrency; path: ConfigPath; issues: ConfigIssue[] },
): PriceCeiling | null {
  const at = [...path, 'maxPrice'];
  const { perMillion, symbol } = parsePriceCeiling(text);
  const [first] = file.tokens;
  if (symbol === usd && currency.symbol === usd && first) {
    return {
      token: first.address,
      perMillion: currency.inToken(currency.read(perMillion, at), first, at),
      inUsd: first.oracle,
    };
  }
  const token = file.tokens.find((one) => one.symbol === symbol);
  if (!token) {
    const known = [...(currency.symbol === usd ? [usd] : []), ...file.tokens.map((one) => one.symbol)];
    issues.push({ path: at, message: `is in ${symbol}, which calls are not paid in; there are ${known.join(', ')}` });
    return null;
  }
  const amount = parseDecimal(perMillion, token.decimals);
  if (amount === undefined)
    issues.push({ path: at, message: `has more than the ${token.decimals} decimals of ${symbol}` });
  return { token: token.address, perMillion: amount ?? 0n, inUsd: false };
}

/**
 * The deployments that cost the operator no more than the route's price ceiling, where both are in the currency of prices. The
 * route's own price above its ceiling is a fault: it could never be sold.
 */
export function withinCeiling(
  { deployments, maxPrice, price }: RouteFile,
  { currency, issues, path }: { currency: PriceCurrency; path: ConfigPath; issues: ConfigIssue[] },
): readonly DeploymentFile[] {
  const { perMillion, symbol } = maxPrice === undefined ? { perMillion: '0', symbol: '' } : parsePriceCeiling(maxPrice);
  if (symbol !== currency.symbol) return deployments;
  const most = currency.read(perMillion, [...path, 'maxPrice']);
  const isAbove = (text: string) => currency.read(text, [...path, 'maxPrice']) > most;
  const { request: _request, ...perTokens } = price ?? { request: '0' };
  if (Object.values(perTokens).some((text) => text !== undefined && isAbove(text))) {
    issues.push({ path: [...path, 'maxPrice'], message: 'is below the route’s own price, so it could never be sold' });
  }
  const affordable = deployments.filter(({ cost }) => !cost || !(isAbove(cost.prompt) || isAbove(cost.completion)));
  if (affordable.length === 0 && deployments.length > 0) {
    issues.push({ path: [...path, 'maxPrice'], message: 'is below the cost of every deployment' });
  }
  return affordable;
}

/** Keys with undefined values would hide what they are spread over. */
function withoutGaps(timeouts: AttemptTimeouts | undefined): AttemptTimeouts {
  return Object.fromEntries(Object.entries(timeouts ?? {}).filter(([, value]) => value !== undefined));
}
