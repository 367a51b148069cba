import { findProvider } from '../providers/catalogue.ts';
import type { ImportedProvider } from './import/imported.ts';
import { asList, asRecord, namesOf } from './loose-values.ts';

/** What is read of autopay.yaml’s `providers`; the schema says what is wrong with the rest. */
export function ownProviders(listed: unknown): ImportedProvider[] {
  return asList(listed).flatMap((entry) => {
    const { name, regions } = asRecord(entry);
    if (typeof name !== 'string') return [];
    const inner = Object.entries(asRecord(regions)).map(
      ([region, endpoint]) => [region, endpointOf(endpoint)] as const,
    );
    return [{ name, ...endpointOf(entry), ...(inner.length > 0 && { regions: Object.fromEntries(inner) }) }];
  });
}

function endpointOf(entry: unknown): Pick<ImportedProvider, 'apiKeyEnv' | 'baseUrl'> {
  const { apiKeyEnv, baseUrl } = asRecord(entry);
  return {
    ...(typeof baseUrl === 'string' && { baseUrl }),
    ...(typeof apiKeyEnv === 'string' && { apiKeyEnv }),
  };
}

/** Providers that autopay.yaml's routes take from the catalogue: no imported file gives them another endpoint or key. */
export function catalogued(routes: unknown, own: readonly ImportedProvider[]): ImportedProvider[] {
  const named = asList(routes).flatMap((route) => namesOf(asRecord(route)['deployments'], 'provider'));
  const isOwn = (name: string) => own.some((provider) => provider.name === name);
  return [...new Set(named)]
    .filter((name) => !isOwn(name) && findProvider(name) !== undefined)
    .map((name) => ({ name }));
}

/** The deployments of autopay.yaml’s routes, as `provider@region`. */
export function deploymentsOf(routes: unknown): Set<string> {
  const deployments = asList(routes).flatMap((route) => asList(asRecord(route)['deployments']));
  return new Set(
    deployments.map((deployment) => {
      const { provider, region = 'default' } = asRecord(deployment);
      return `${String(provider)}@${String(region)}`;
    }),
  );
}
