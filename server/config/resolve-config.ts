import type { TokenPrices } from '../../protocol/pricing/token-prices.ts';
import type { ConfigFile } from './config-schema.ts';
import { nearestName } from './nearest-name.ts';
import { parseDecimal } from './parse-decimal.ts';
import type { DeploymentConfig, RelayConfig, RouteConfig } from './relay-config.ts';

/** Something that is wrong with a configuration: where (keys and indexes from the root), and what. */
export interface ConfigIssue {
  path: readonly (string | number)[];
  message: string;
}

/** uint96: a claim on the chain holds no more; a price beyond it is a slip of the pen. */
const maxAmount = (1n << 96n) - 1n;

/**
 * Gives a parsed file its meaning: amounts in atomic units, deployments with ids, names that refer to something.
 * What is wrong is pushed to `issues`; the result may be used only if there are none.
 */
export function resolveConfig(file: ConfigFile, issues: ConfigIssue[]): RelayConfig {
  const amount = amountReader(file.token, issues);
  requireUnique(
    file.providers.map((provider) => provider.name),
    (index) => ({ path: ['providers', index, 'name'], message: 'is the name of another provider already' }),
    issues,
  );
  requireUnique(
    file.routes.map((route) => route.model),
    (index) => ({ path: ['routes', index, 'model'], message: 'is the model of another route already' }),
    issues,
  );
  const { suggestedDeposit, challengeTtlSeconds } = file.payment;
  return {
    ...file,
    payment: { suggestedDepositAtomic: amount(suggestedDeposit, ['payment', 'suggestedDeposit']), challengeTtlSeconds },
    routes: file.routes.map((route, index) => resolveRoute({ file, route, index, amount, issues })),
  };
}

type AmountReader = (text: string, path: readonly (string | number)[]) => bigint;

function amountReader({ decimals, symbol }: ConfigFile['token'], issues: ConfigIssue[]): AmountReader {
  return (text, path) => {
    const value = parseDecimal(text, decimals);
    if (value === undefined) issues.push({ path, message: `has more than the ${decimals} decimals of ${symbol}` });
    else if (value > maxAmount) issues.push({ path, message: 'is beyond what a channel can hold (uint96)' });
    return value ?? 0n;
  };
}

function requireUnique(names: readonly string[], issueAt: (index: number) => ConfigIssue, issues: ConfigIssue[]): void {
  names.forEach((name, index) => {
    if (names.indexOf(name) !== index) issues.push(issueAt(index));
  });
}

interface RouteToResolve {
  file: ConfigFile;
  route: ConfigFile['routes'][number];
  index: number;
  amount: AmountReader;
  issues: ConfigIssue[];
}

function resolveRoute({ file, route, index, amount, issues }: RouteToResolve): RouteConfig {
  const path = ['routes', index];
  const report = (keys: (string | number)[], message: string) => issues.push({ path: [...path, ...keys], message });
  if (route.free && route.price) report(['price'], 'contradicts free: true; remove one of them');
  if (!route.free && !route.price) report([], 'needs a price, or free: true');
  const defaultMaxOutputTokens = route.defaultMaxOutputTokens ?? Math.min(4096, route.maxOutputTokens);
  if (defaultMaxOutputTokens > route.maxOutputTokens) report(['defaultMaxOutputTokens'], 'is above maxOutputTokens');

  const deployments = route.deployments.map((deployment): DeploymentConfig => ({
    id: `${deployment.provider}@${deployment.region}`,
    ...deployment,
  }));
  requireUnique(
    deployments.map((deployment) => deployment.id),
    (at) => ({
      path: [...path, 'deployments', at],
      message: `has the id of another deployment of this route (${deployments[at]?.id}); give it a region of its own`,
    }),
    issues,
  );
  const providers = file.providers.map((provider) => provider.name);
  deployments.forEach(({ provider }, at) => {
    if (providers.includes(provider)) return;
    const nearest = nearestName(provider, providers);
    report(['deployments', at, 'provider'], `is no name in providers${nearest ? `; did you mean "${nearest}"?` : ''}`);
  });

  const prices = route.price ? resolvePrices(route.price, (text, key) => amount(text, [...path, 'price', key])) : null;
  if (prices && Object.values(prices).every((price) => price === 0n)) {
    report(['price'], 'is zero in every part; say free: true instead');
  }

  return {
    model: route.model,
    deployments,
    prices,
    contextTokens: route.contextTokens,
    maxOutputTokens: route.maxOutputTokens,
    defaultMaxOutputTokens,
    outputLimitParameter: route.outputLimitParameter,
  };
}

type PriceFile = NonNullable<ConfigFile['routes'][number]['price']>;

/** Parts without a price of their own cost what the whole costs. */
function resolvePrices(price: PriceFile, amount: (text: string, key: keyof PriceFile) => bigint): TokenPrices {
  const read = (key: keyof PriceFile, otherwise: bigint) => {
    const text = price[key];
    return text === undefined ? otherwise : amount(text, key);
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
