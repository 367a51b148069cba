import type { ConfigPath } from '../report-issues.ts';
import { endpointAt } from '../resolve-providers.ts';
import type { Imported, ImportedProvider, ImportOptions } from './imported.ts';
import type { LiteLlmPlace } from './litellm-provider.ts';

/** What a label is chosen among. */
export interface RegionOptions {
  /** `model_info.id`. */
  id: string | undefined;
  /** Path of the entry. */
  from: ConfigPath;
  /** Deployments of the same route, `provider@region`; the chosen one is added. */
  used: Set<string>;
  imported: Imported;
  options: ImportOptions;
}

/**
 * The label of an endpoint at its provider: the entry's id, or the first that is free or means the same endpoint. Where autopay.yaml
 * has the provider and says otherwise, that holds, and it is warned of.
 */
export function chooseRegion(place: LiteLlmPlace, region: RegionOptions): string | undefined {
  const { imported, options, used } = region;
  const own = options.own.find(({ name }) => name === place.provider);
  if (own) return chooseOwnRegion(place, own, region);
  const endpoint = {
    ...(place.baseUrl !== undefined && { baseUrl: place.baseUrl }),
    ...(place.apiKeyEnv !== undefined && { apiKeyEnv: place.apiKeyEnv }),
  };
  let provider = imported.providers.find((one) => one.name === place.provider);
  if (!provider) {
    provider = { name: place.provider, ...endpoint };
    imported.providers.push(provider);
  }
  // A label that a route has already means one endpoint for good.
  const taken = new Set(imported.routes.flatMap(({ route }) => route.deployments.map(labelOf)));
  for (const label of labelsOf(region.id)) {
    const deployment = `${place.provider}@${label}`;
    if (used.has(deployment)) continue;
    const there = endpointAt(provider, label, options.env);
    const isSame = there.baseUrl === place.baseUrl && there.apiKeyEnv === place.apiKeyEnv;
    const isNew = label !== 'default' && provider.regions?.[label] === undefined;
    if (!isSame && (!isNew || taken.has(deployment) || options.taken.has(deployment))) continue;
    if (!isSame) provider.regions = { ...provider.regions, [label]: endpoint };
    used.add(deployment);
    return label;
  }
  return undefined;
}

/** Where autopay.yaml has a provider of this name, that one holds: nothing goes elsewhere, and nothing stays away, without a word. */
function chooseOwnRegion(
  place: LiteLlmPlace,
  own: ImportedProvider,
  { from, id, imported, options, used }: RegionOptions,
): string | undefined {
  const agrees = (label: string) => {
    const there = endpointAt(own, label, options.env);
    const isThere = place.baseFrom === undefined || there.baseUrl === place.baseUrl?.replace(/\/+$/, '');
    return { isThere, hasKey: !place.saysKey || there.apiKeyEnv === place.apiKeyEnv };
  };
  const regions = Object.keys(own.regions ?? {});
  // Of so many labels one is free, if any means this endpoint.
  let left = used.size + regions.length + 3;
  for (const label of labelsOf(id, regions)) {
    if (left === 0) break;
    left -= 1;
    const { hasKey, isThere } = agrees(label);
    if (used.has(`${own.name}@${label}`) || !isThere || !hasKey) continue;
    used.add(`${own.name}@${label}`);
    return label;
  }
  const isElsewhere = ['default', ...regions].every((label) => !agrees(label).isThere);
  const key = place.baseFrom !== undefined && (isElsewhere || !place.saysKey) ? place.baseFrom : 'api_key';
  const message = `is not what providers.${own.name} of autopay.yaml says, which holds; say it in providers.${own.name}.regions if it should count`;
  imported.warnings.push({ path: [...from, 'litellm_params', key], status: 'warned', message });
  const free = ['default', ...regions].find((label) => !used.has(`${own.name}@${label}`));
  if (free !== undefined) used.add(`${own.name}@${free}`);
  return free;
}

function labelOf({ provider, region }: Record<string, unknown>): string {
  return `${String(provider)}@${String(region)}`;
}

/** Without an end, but for who calls: the id, `default`, those that are known, then numbers. */
function* labelsOf(id: string | undefined, known: readonly string[] = []): Generator<string, undefined> {
  if (id !== undefined && /^[A-Za-z0-9._-]{1,64}$/.test(id)) yield id;
  yield 'default';
  yield* known;
  for (let number = 2; ; number += 1) yield String(number);
}
