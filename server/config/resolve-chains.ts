import type { Deployment } from '../../protocol/deployment/deployment-schema.ts';
import type { ConfigFile, WrittenFile } from './config-schema.ts';
import { listChains, type ListedChain } from './list-chains.ts';
import type { RelayConfig } from './relay-config.ts';
import type { ConfigIssue, ConfigPath } from './report-issues.ts';
import { resolveChain } from './resolve-chain.ts';
import { resolveConfig } from './resolve-config.ts';
import { resolveDeployment } from './resolve-deployment.ts';

/** A configuration as it is for one chain. */
type OneChain = Omit<RelayConfig, 'chains' | 'evidence' | 'files' | 'notices' | 'providers' | 'secrets' | 'sellers'>;

/** A configuration on all of its chains. */
export type ResolvedChains = OneChain & Pick<RelayConfig, 'chains'>;

const usd = 'USD';

/**
 * Gives a file its meaning on each of its chains, which are alike but for contracts, tokens and the prices in them. What is wrong
 * is pushed to `issues`, and undefined returned.
 *
 * @param readPublished reads `addresses/<chainId>.json`; asked only of a chain without contracts
 */
export function resolveChains(
  written: WrittenFile,
  readPublished: (chainId: number) => Deployment,
  issues: ConfigIssue[],
): ResolvedChains | undefined {
  const { chain: _chain, chains: _chains, contracts: _contracts, tokens: _tokens, ...rest } = written;
  const listed = listChains(written, issues);
  const [first] = listed;
  const currency = written.priceCurrency ?? first?.tokens[0]?.symbol;
  const resolved = listed.map((one) => {
    const { path, ...ofChain } = one;
    const own: ConfigIssue[] = [];
    if (one !== first) requireLikeHome(one, { first, currency }, issues);
    const file: ConfigFile = { ...rest, ...ofChain, ...(currency !== undefined && { priceCurrency: currency }) };
    const config = resolveOne(file, readPublished, own);
    for (const issue of own) report({ ...issue, path: pathOf(issue.path, path) }, issues);
    return config;
  });
  const complete = resolved.filter((config) => config !== undefined);
  const [home] = complete;
  if (issues.length > 0 || home === undefined) return undefined;
  const chains = complete.map(({ chain, contracts, routes, tokens }) => ({ chain, contracts, routes, tokens }));
  return { ...home, chains };
}

function resolveOne(
  file: ConfigFile,
  readPublished: (chainId: number) => Deployment,
  issues: ConfigIssue[],
): OneChain | undefined {
  const config = resolveConfig(file, issues);
  const chain = resolveChain(file, issues);
  const deployment = resolveDeployment(file, readPublished, issues);
  if (deployment === undefined) return undefined;
  const { contracts, deployedAtBlock } = deployment;
  return { ...config, contracts, chain: { ...file.chain, ...chain, deployedAtBlock } };
}

/**
 * Prices are in one currency on all chains, and a token counts in the budgets of the home chain at the rate of the token there that
 * has its symbol.
 */
function requireLikeHome(
  { tokens, path }: ListedChain,
  { first, currency }: { first: ListedChain | undefined; currency: string | undefined },
  issues: ConfigIssue[],
): void {
  if (currency !== usd && tokens[0]?.symbol !== currency) {
    const message = `has to be ${currency}, which prices are in; put that token first, or set priceCurrency: USD`;
    issues.push({ path: [...path, 'tokens', 0, 'symbol'], message });
  }
  tokens.forEach(({ symbol }, index) => {
    if (first?.tokens.some((token) => token.symbol === symbol)) return;
    const message = 'is no token of the home chain, so it would count in no budget; take it there too, or leave it out';
    issues.push({ path: [...path, 'tokens', index, 'symbol'], message });
  });
}

/** Where an issue of one chain stands in the whole file. */
function pathOf(path: ConfigPath, at: ConfigPath): ConfigPath {
  if (at.length === 0) return path;
  if (path[0] === 'chain') return [...at, ...path.slice(1)];
  return path[0] === 'contracts' || path[0] === 'tokens' ? [...at, ...path] : path;
}

/** What is wrong with a route is wrong on every chain, and told once. */
function report(issue: ConfigIssue, issues: ConfigIssue[]): void {
  const isKnown = issues.some((known) => known.message === issue.message && known.path.join() === issue.path.join());
  if (!isKnown) issues.push(issue);
}
