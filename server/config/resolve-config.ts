import { catalogue } from '../providers/catalogue.ts';
import type { ConfigFile } from './config-schema.ts';
import { listRoutePrices } from './list-prices.ts';
import { resolveCache } from './resolve-cache.ts';
import { nearestName } from './nearest-name.ts';
import { checkDemands } from './resolve-evidence.ts';
import type { DeploymentConfig, RelayConfig, RouteConfig } from './relay-config.ts';
import { requireUnique, type ConfigIssue } from './report-issues.ts';
import { describeDeployment } from './resolve-providers.ts';
import { checkRouting, resolveDeploymentTerms, resolveRouteTerms, withinCeiling } from './resolve-routing.ts';
import { resolveCurrency, type PriceCurrency } from './resolve-tokens.ts';

/** What the file alone tells. */
export type ResolvedConfig = Omit<
  RelayConfig,
  'chain' | 'chains' | 'contracts' | 'evidence' | 'files' | 'notices' | 'providers' | 'secrets' | 'sellers'
>;

/**
 * Gives a parsed file its meaning: amounts in atomic units, deployments with ids, names that refer to something.
 * What is wrong is pushed to `issues`; the result may be used only if there are none. Which contracts are meant is not told by
 * the file alone: `resolveDeployment` does.
 */
export function resolveConfig(file: ConfigFile, issues: ConfigIssue[]): ResolvedConfig {
  const currency = resolveCurrency(file, issues);
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
  checkRouting(file, issues);
  requireUnique(
    file.webhooks.map(({ url }) => url),
    (index) => ({ path: ['webhooks', index, 'url'], message: 'is the url of another webhook already' }),
    issues,
  );
  checkWitnesses(file.audit, issues);
  if (file.chain.reorgMarginBlocks >= file.chain.maxBlocksPerQuery) {
    issues.push({ path: ['chain', 'reorgMarginBlocks'], message: 'has to be below chain.maxBlocksPerQuery' });
  }
  const { suggestedDeposit: deposit, ...payment } = file.payment;
  const depositPath = ['payment', 'suggestedDeposit'];
  const suggestedDeposit = currency.read(deposit, depositPath);
  const currencyUnit = currency.read('1', ['tokens']);
  const payerBudget = readPayerBudget(payment, currency, issues);
  const { import: _import, prices: _prices, providers: _providers, ...others } = file;
  const { auto_refill: _refill, payment_channels: _channels, ...rest } = others;
  const routes = file.routes.map((route, index) => resolveRoute({ file, route, index, currency, issues }));
  checkDemands(routes, issues);
  return {
    ...rest,
    priceCurrency: currency.symbol,
    tokens: file.tokens.map((token) => ({
      symbol: token.symbol,
      address: token.address,
      decimals: token.decimals,
      oracle: token.oracle,
      suggestedDeposit: currency.inToken(suggestedDeposit, token, depositPath),
      currencyUnit: currency.inToken(currencyUnit, token, ['tokens']),
      ...(payerBudget !== undefined && { payerBudget: currency.inToken(payerBudget, token, payerBudgetPath) }),
    })),
    payment,
    routes,
  };
}

const payerBudgetPath = ['payment', 'payerBudget', 'amount'];

function readPayerBudget(
  { payerBudget }: Pick<ConfigFile['payment'], 'payerBudget'>,
  currency: PriceCurrency,
  issues: ConfigIssue[],
): bigint | undefined {
  if (!payerBudget) return undefined;
  const amount = currency.read(payerBudget.amount, payerBudgetPath);
  if (amount === 0n)
    issues.push({ path: payerBudgetPath, message: 'is zero, so nobody could pay for a call; raise it' });
  return amount;
}

function checkWitnesses({ witnesses, requiredCosignatures }: ConfigFile['audit'], issues: ConfigIssue[]): void {
  requireUnique(
    witnesses.map(({ key }) => key),
    (index) => ({ path: ['audit', 'witnesses', index, 'key'], message: 'is the key of another witness already' }),
    issues,
  );
  if (requiredCosignatures > witnesses.length) {
    const message = `is above the number of audit.witnesses, ${witnesses.length}: nothing would ever be anchored`;
    issues.push({ path: ['audit', 'requiredCosignatures'], message });
  }
}

interface RouteToResolve {
  file: ConfigFile;
  route: ConfigFile['routes'][number];
  index: number;
  currency: PriceCurrency;
  issues: ConfigIssue[];
}

function resolveRoute({ file, route, index, currency, issues }: RouteToResolve): RouteConfig {
  const path = ['routes', index];
  const report = (keys: (string | number)[], message: string) => issues.push({ path: [...path, ...keys], message });
  if (route.free && route.price) report(['price'], 'contradicts free: true; remove one of them');
  if (route.auto && (route.free || route.price || route.deployments.length > 0)) {
    report(['auto'], 'stands for other routes, so this one has no deployments and no price of its own; remove them');
  }
  if (!route.auto && route.deployments.length === 0) report(['deployments'], 'needs at least one');
  if (!route.free && !route.price && !route.auto) {
    report([], `needs a price (as price, or as prices.${route.model}), or free: true`);
  }
  if (route.search && !route.free && !/[1-9]/.test(route.price?.request ?? '')) {
    report(['search'], 'needs price.request above zero: providers bill a search beside its tokens');
  }
  const defaultMaxOutputTokens = route.defaultMaxOutputTokens ?? Math.min(4096, route.maxOutputTokens);
  if (defaultMaxOutputTokens > route.maxOutputTokens) report(['defaultMaxOutputTokens'], 'is above maxOutputTokens');

  const terms = resolveRouteTerms(file, index, { currency, issues });
  const deployments = withinCeiling(route, { currency, path, issues }).map((deployment, at): DeploymentConfig => ({
    id: `${deployment.provider}@${deployment.region}`,
    provider: deployment.provider,
    region: deployment.region,
    ...describeDeployment(file, deployment),
    ...(deployment.defaults && { defaults: deployment.defaults }),
    terms: resolveDeploymentTerms(deployment, {
      ...{ currency, issues, providers: file.providers },
      path: [...path, 'deployments', at],
    }),
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
    if (providers.includes(provider) || catalogue.some(({ name, baseUrl }) => name === provider && baseUrl)) return;
    const nearest = nearestName(provider, [...providers, ...catalogue.map(({ name }) => name)]);
    report(
      ['deployments', at, 'provider'],
      `is no name in providers, nor of the catalogue${nearest ? `; did you mean "${nearest}"?` : ''}`,
    );
  });

  return {
    model: route.model,
    deployments,
    terms,
    // One that stands for others is not free, and costs what they cost.
    prices: route.auto ? [] : listRoutePrices({ file, index, currency, issues }),
    cache: resolveCache({ file, index, currency, issues }),
    search: route.search,
    contextTokens: route.contextTokens,
    maxOutputTokens: route.maxOutputTokens,
    defaultMaxOutputTokens,
    embeddingDimensions: route.embeddingDimensions,
    firstSlice: route.firstSlice,
    outputLimitParameter: route.outputLimitParameter ?? null,
  };
}
