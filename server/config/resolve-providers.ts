import { findProvider, findProviderOfUrl, quirksOf, type ProviderFacts } from '../providers/catalogue.ts';
import type { ProviderQuirks } from '../call/types.ts';
import type { ConfigFile } from './config-schema.ts';
import type { ConfigIssue } from './report-issues.ts';

/** An endpoint that calls are sent to. */
export interface ProviderConfig {
  /** A provider, or `provider@region` where the region has an endpoint of its own. */
  name: string;
  /** URL up to and with `/v1`. */
  baseUrl: string;
  /** The environment variable with its key; undefined if it takes none. */
  apiKeyEnv?: string | undefined;
}

type ProviderFile = ConfigFile['providers'][number];

/**
 * Says where every provider is that a deployment names, from the file and, for what it does not say, from the catalogue. What is wrong
 * is pushed to `issues`.
 *
 * @param env a provider's base URL may be there, under a name of the catalogue
 */
export function resolveProviders(
  file: Pick<ConfigFile, 'providers' | 'routes'>,
  env: Readonly<Record<string, string | undefined>>,
  issues: ConfigIssue[],
): ProviderConfig[] {
  const own = file.providers.flatMap((provider, index) => {
    const facts = findProvider(provider.name);
    const root = endpointOf(provider, facts, env);
    const regions = Object.keys(provider.regions ?? {}).map((region) => {
      const { apiKeyEnv, baseUrl } = endpointAt(provider, region, env);
      return { name: `${provider.name}@${region}`, baseUrl, apiKeyEnv };
    });
    const endpoints = [{ name: provider.name, baseUrl: root?.baseUrl, apiKeyEnv: root?.apiKeyEnv }, ...regions];
    const isUsedBare = deploymentsOf(file, provider.name).some((region) => provider.regions?.[region] === undefined);
    return endpoints.flatMap(({ name, baseUrl, apiKeyEnv }): ProviderConfig[] => {
      if (baseUrl !== undefined) return [{ name, baseUrl, ...(apiKeyEnv !== undefined && { apiKeyEnv }) }];
      if (name === provider.name && regions.length > 0 && !isUsedBare) return [];
      const hint = facts ? `: ${facts.note ?? ''}` : '; the catalogue does not have this provider';
      issues.push({ path: ['providers', index], message: `needs a baseUrl${hint}` });
      return [];
    });
  });
  const listed = new Set(file.providers.map(({ name }) => name));
  const used = new Set(file.routes.flatMap((route) => (route.deployments ?? []).map(({ provider }) => provider)));
  const implied = [...used].flatMap((name): ProviderConfig[] => {
    if (listed.has(name)) return [];
    const endpoint = endpointOf({}, findProvider(name), env);
    return endpoint ? [{ name, ...endpoint }] : [];
  });
  return [...own, ...implied];
}

/** Where the calls of one region of a provider go, and with which key. */
export function endpointAt(
  provider: Pick<ProviderFile, 'name' | 'apiKeyEnv' | 'baseUrl' | 'regions'>,
  region: string,
  env: Readonly<Record<string, string | undefined>>,
): { baseUrl?: string | undefined; apiKeyEnv?: string | undefined } {
  const root = endpointOf(provider, findProvider(provider.name), env);
  const own = provider.regions?.[region];
  if (own === undefined) return root ?? {};
  // Its own key opens its own endpoint; the provider's goes along only to the provider's.
  const inherited = own.baseUrl === undefined ? root : { baseUrl: own.baseUrl };
  return { baseUrl: inherited?.baseUrl, apiKeyEnv: own.apiKeyEnv ?? inherited?.apiKeyEnv };
}

function deploymentsOf({ routes }: Pick<ConfigFile, 'routes'>, name: string): string[] {
  return routes.flatMap((route) =>
    (route.deployments ?? []).flatMap(({ provider, region }) => (provider === name ? [region] : [])),
  );
}

function endpointOf(
  { baseUrl, apiKeyEnv }: Pick<ProviderFile, 'apiKeyEnv' | 'baseUrl'>,
  facts: ProviderFacts | undefined,
  env: Readonly<Record<string, string | undefined>>,
): { baseUrl: string; apiKeyEnv?: string } | undefined {
  const fromEnv = facts?.baseUrlEnv === undefined ? undefined : env[facts.baseUrlEnv]?.trim();
  const url = baseUrl ?? (fromEnv || facts?.baseUrl || undefined);
  if (url === undefined) return undefined;
  // A key that belongs to the catalogue's endpoint must not go anywhere else.
  const key = apiKeyEnv ?? (baseUrl === undefined ? (facts?.keyEnv ?? undefined) : undefined);
  return { baseUrl: url.replace(/\/+$/, ''), ...(key !== undefined && { apiKeyEnv: key }) };
}

/** Says of keys that are set whether they look like another provider's. Nothing of a key is told. */
export function noticeStrangeKeys(
  providers: readonly ProviderConfig[],
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  return providers.flatMap(({ name, apiKeyEnv }) => {
    const prefix = findProvider(name)?.keyPrefix;
    const key = apiKeyEnv === undefined ? undefined : env[apiKeyEnv]?.trim();
    if (!prefix || !key || key.startsWith(prefix)) return [];
    return [`${apiKeyEnv} does not begin with ${prefix}, as keys of ${name} do`];
  });
}

/** How a provider departs from OpenAI's wire is known by what it speaks, whatever the operator calls it. */
function dialectOf(name: string, own: ProviderFile | undefined): ProviderFacts | undefined {
  if (own?.dialect !== undefined) return findProvider(own.dialect);
  return findProvider(name) ?? (own?.baseUrl === undefined ? undefined : findProviderOfUrl(own.baseUrl));
}

/** What a deployment has to know of its provider: the model's name there, and how it departs from OpenAI's wire. */
export function describeDeployment(
  { providers }: Pick<ConfigFile, 'providers'>,
  deployment: { provider: string; model: string },
): { model: string; quirks?: ProviderQuirks } {
  const own = providers.find(({ name }) => name === deployment.provider);
  const facts = dialectOf(deployment.provider, own);
  const model = own?.models?.[deployment.model] ?? deployment.model;
  return { model, ...(facts && { quirks: quirksOf(facts) }) };
}
