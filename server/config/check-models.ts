import { findProvider } from '../providers/catalogue.ts';
import { anthropicVersion } from '../providers/openai-compatible.ts';
import type { RelayConfig } from './relay-config.ts';
import type { ProviderConfig } from './resolve-providers.ts';

/** What a provider says of the models that deployments ask of it. */
export interface ModelCheck {
  /** A provider, or `provider@region`. */
  provider: string;
  baseUrl: string;
  /** Models that it does not list, and the deployments that ask for them. */
  missing: { model: string; route: string; deployment: string }[];
  /** Why nothing can be said; null if it answered. */
  unknown: string | null;
}

const timeoutMs = 10_000;
const maxListBytes = 16 * 2 ** 20;

/**
 * Asks every provider of a configuration which models it has (`GET /models`, which costs nothing), and compares.
 * @param env where their keys are
 */
export function checkModels(
  config: Pick<RelayConfig, 'providers' | 'routes' | 'secrets'>,
  options: { env: Readonly<Record<string, string | undefined>>; fetch?: typeof fetch },
): Promise<ModelCheck[]> {
  const asked = config.providers.map((provider) => ({ provider, uses: usesOf(config, provider) }));
  const checks = asked.filter(({ uses }) => uses.length > 0);
  return Promise.all(
    checks.map(async ({ provider, uses }): Promise<ModelCheck> => {
      const check = { provider: provider.name, baseUrl: provider.baseUrl, missing: [], unknown: null };
      const isNative = uses.some((use) => use.isNative);
      const env = { ...options.env, ...config.secrets };
      const listed = await listModels(provider, { fetch, ...options, env, isNative });
      if (typeof listed === 'string') return { ...check, unknown: listed };
      const missing = uses.filter(({ model }) => !isListed(model, listed));
      return { ...check, missing: missing.map(({ isNative: _, ...use }) => use) };
    }),
  );
}

/** The deployments that call an endpoint: their region's own, or their provider's. */
function usesOf({ providers, routes }: Pick<RelayConfig, 'providers' | 'routes'>, { name }: ProviderConfig) {
  const regional = new Set(providers.map((provider) => provider.name));
  return routes.flatMap((route) =>
    route.deployments
      .filter(({ id, provider }) => (regional.has(id) ? id : provider) === name)
      .map(({ id, model, quirks }) => {
        return { model, route: route.model, deployment: id, isNative: quirks?.anthropicMessages === true };
      }),
  );
}

/** Variants that OpenRouter serves of every model, and lists of none. */
const unlistedVariant = /:(?:nitro|floor|online|exacto)$/;

/**
 * Whether a model is there, by the name that it is called: a list may have it with its date (Anthropic), with `:latest` (Ollama), after
 * `models/` (Google), or without its variant (OpenRouter); `auto` stands for what is there.
 */
function isListed(model: string, listed: ReadonlySet<string>): boolean {
  const names = [model, `${model}:latest`, `models/${model}`, model.replace(unlistedVariant, '')];
  if (model === 'auto' || names.some((name) => listed.has(name))) return true;
  const undated = model.replace(/-latest$/, '');
  return [...listed].some((id) => id.startsWith(`${undated}-`) && /^\d{8}$/.test(id.slice(undated.length + 1)));
}

/** The ids that a provider lists, or why they cannot be had. */
async function listModels(
  { name, baseUrl, apiKeyEnv }: ProviderConfig,
  options: { env: Readonly<Record<string, string | undefined>>; fetch: typeof fetch; isNative: boolean },
): Promise<Set<string> | string> {
  const [provider = name] = name.split('@');
  if (findProvider(provider)?.modelList === 'of others') return 'its list has other names than calls take';
  const key = apiKeyEnv === undefined ? undefined : options.env[apiKeyEnv]?.trim();
  if (apiKeyEnv !== undefined && !key) return `${apiKeyEnv} is not set`;
  try {
    // Anthropic's own list has pages of twenty, and takes the key as its other endpoints do.
    const native = { 'anthropic-version': anthropicVersion, ...(key !== undefined && { 'x-api-key': key }) };
    const bearer = key !== undefined && { authorization: `Bearer ${key}` };
    const response = await options.fetch(`${baseUrl}/models${options.isNative ? '?limit=1000' : ''}`, {
      headers: { accept: 'application/json', ...(options.isNative ? native : bearer) },
      // A redirect would take the key along.
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) return `it answers ${response.status} to GET /models`;
    const text = await response.text();
    if (text.length > maxListBytes) return 'its list is too long';
    const body = JSON.parse(text) as unknown;
    // Together sends the list without OpenAI's envelope.
    const data: unknown = Array.isArray(body) ? body : (body as { data?: unknown } | null)?.data;
    if (!Array.isArray(data)) return 'its list of models is not OpenAI’s';
    return new Set(data.flatMap((entry: { id?: unknown } | null) => (typeof entry?.id === 'string' ? [entry.id] : [])));
  } catch (error) {
    return error instanceof Error && error.name === 'TimeoutError'
      ? 'it does not answer in time'
      : 'it cannot be reached';
  }
}
