import { describeIssues } from '../describe-issues.ts';
import type { ConfigPath } from '../report-issues.ts';
import { defaultMaxOutputTokens } from '../schema/routes-section.ts';
import { emptyImport, type Imported, type ImportedRoute, type ImportOptions } from './imported.ts';
import { isZero, priceOfCosts, readCost, takesDollars } from './litellm-prices.ts';
import { readPlace, readVariables, type PlaceContext } from './litellm-provider.ts';
import { chooseRegion } from './litellm-region.ts';
import { addRouting, deploymentRoutingOf, fallbackRoutingOf, routeRoutingOf } from './litellm-routing.ts';
import { litellmSchema, type LiteLlmEntry, type LiteLlmFile } from './litellm-schema.ts';

/** LiteLLM's names of what the relay's endpoints do. */
const soldModes: readonly string[] = ['chat', 'completion', 'responses', 'embedding'];

interface Context extends PlaceContext {
  file: LiteLlmFile;
}

interface Entry {
  entry: LiteLlmEntry;
  from: ConfigPath;
}

/** Reads LiteLLM's config.yaml. */
export function readLiteLlm(options: ImportOptions): Imported {
  const imported = emptyImport(options);
  const parsed = litellmSchema.safeParse(options.source.value);
  if (!parsed.success) {
    imported.issues.push(...describeIssues(litellmSchema, parsed.error.issues));
    return imported;
  }
  const file = parsed.data;
  const groups = new Map<string, Entry[]>();
  file.model_list.forEach((entry, index) => {
    const group = groups.get(entry.model_name) ?? [];
    groups.set(entry.model_name, [...group, { entry, from: ['model_list', index] }]);
  });
  const context = { imported, options, file, variables: readVariables(file.environment_variables ?? {}) };
  for (const [model, entries] of groups) readGroup(model, entries, context);
  addAliases(file, context);
  addRouting(file, imported);
  return imported;
}

/** The entries of one name are the deployments of one route. */
function readGroup(model: string, entries: readonly Entry[], context: Context): void {
  const { file, imported, options } = context;
  const [first] = entries;
  if (first === undefined) return;
  const isPriced = options.priced.has(model);
  const inDollars = options.priceCurrency === 'USD';
  const costs = entries.map(({ entry, from }) => readCost(entry, { from, ...context }));
  const used = new Set<string>();
  const read: ImportedRoute = { from: first.from, deploymentsFrom: [], route: { model, deployments: [] } };
  entries.forEach(({ entry, from }, at) => {
    const mode = entry.model_info?.mode ?? 'chat';
    if (!soldModes.includes(mode)) {
      const message = `is ${mode}, which the relay has no endpoint for; it has ${soldModes.join(', ')}`;
      imported.issues.push({ path: [...from, 'model_info', 'mode'], message });
    }
    const place = readPlace(entry, { from, ...context });
    if (place === undefined) return;
    const region = chooseRegion(place, { id: entry.model_info?.id, from, used, imported, options });
    if (region === undefined) return;
    const { prompt, completion } = costs[at] ?? {};
    const cost = inDollars && prompt !== undefined && { cost: { prompt, completion } };
    const routing = deploymentRoutingOf(entry, file);
    read.route.deployments.push({ provider: place.provider, model: place.model, region, ...cost, ...routing });
    read.deploymentsFrom.push(from);
  });
  const price = priceOfCosts(costs);
  if (!isPriced && price && isZero(price)) {
    const message = `costs nothing: ${model} is free for everybody (or name a price as prices.${model})`;
    imported.warnings.push({ path: first.from, status: 'warned', message });
    read.route['free'] = true;
  } else if (!isPriced && price && takesDollars(options, { path: first.from, model }, imported))
    read.route['price'] = price;
  if (new Set(costs.map((cost) => JSON.stringify(cost))).size > 1 && !isPriced && price) {
    const message = `has entries with different costs; all are sold at the highest (or name the price as prices.${model})`;
    imported.warnings.push({ path: first.from, status: 'warned', message });
  }
  const all = entries.map(({ entry }) => entry);
  const bounds = boundsOf(all);
  if (bounds['maxOutputTokens'] === undefined && !all.every(isEmbedding)) {
    const message = `says no max_output_tokens in model_info: answers of ${model} end at ${defaultMaxOutputTokens} tokens`;
    imported.warnings.push({ path: first.from, status: 'warned', message });
  }
  Object.assign(read.route, bounds, routeRoutingOf(model, { entries: all, file }));
  if (read.route.deployments.length > 0) imported.routes.push(read);
}

function isEmbedding({ model_info: info }: LiteLlmEntry): boolean {
  return info?.mode === 'embedding';
}

/** Whichever deployment answers, the bounds have to hold. */
function boundsOf(entries: readonly LiteLlmEntry[]): Record<string, number> {
  const pick = (read: (entry: LiteLlmEntry) => number | undefined) =>
    entries.map(read).filter((one) => one !== undefined);
  const context = pick((entry) => {
    const { max_input_tokens: most, max_tokens: either } = entry.model_info ?? {};
    return most ?? (isEmbedding(entry) ? either : undefined);
  });
  const output = pick((entry) => {
    const { max_output_tokens: most, max_tokens: either } = entry.model_info ?? {};
    return most ?? (isEmbedding(entry) ? undefined : either);
  });
  const limit = pick(({ litellm_params: params }) => params.max_completion_tokens ?? params.max_tokens ?? undefined);
  const dimensions = pick(({ model_info: info }) => info?.output_vector_size ?? undefined);
  const maxOutputTokens = output.length > 0 ? Math.min(...output) : undefined;
  return {
    ...(context.length > 0 && { contextTokens: Math.min(...context) }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(dimensions.length > 0 && { embeddingDimensions: Math.max(...dimensions) }),
    ...(limit.length > 0 && { defaultMaxOutputTokens: Math.min(Math.max(...limit), maxOutputTokens ?? Infinity) }),
  };
}

/** An alias is the route of its model under one more name, with fallbacks of its own where the file gives it some. */
function addAliases(file: LiteLlmFile, { imported, options }: Pick<Context, 'imported' | 'options'>): void {
  const models = new Map(imported.routes.map((read) => [read.route.model, read]));
  for (const [alias, target] of Object.entries(file.router_settings?.model_group_alias ?? {})) {
    const path = ['router_settings', 'model_group_alias', alias];
    const { model, hidden } = typeof target === 'string' ? { model: target } : target;
    const meant = models.get(model);
    if (hidden === true) {
      const message = 'has no effect here: GET /v1/models lists every name that is sold';
      imported.warnings.push({ path: [...path, 'hidden'], status: 'warned', message });
    }
    if (!meant) {
      imported.issues.push({ path, message: `stands for ${model}, which is no model_name` });
    } else if (models.has(alias)) {
      // LiteLLM would send its calls to the model that the alias stands for.
      imported.issues.push({ path, message: 'is a model_name as well, whose calls would go elsewhere; remove one' });
    } else {
      const { price, free, ...rest } = meant.route;
      const none = { fallbacks: undefined, contextWindowFallbacks: undefined, contentPolicyFallbacks: undefined };
      const isPriced = options.priced.has(alias);
      const ofAlias = isPriced ? {} : { ...(price !== undefined && { price }), ...(free !== undefined && { free }) };
      const route = { ...rest, model: alias, ...none, ...fallbackRoutingOf([alias, model], file), ...ofAlias };
      imported.routes.push({ ...meant, from: path, route });
    }
  }
}
