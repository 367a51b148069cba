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
      const listed = await listModels(provider, { fetch, ...options, env: { ...options.env, ...config.secrets } });
      if (typeof listed === 'string') return { ...check, unknown: listed };
      return { ...check, missing: uses.filter(({ model }) => !listed.has(model)) };
    }),
  );
}

/** The deployments that call an endpoint: their region's own, or their provider's. */
function usesOf({ providers, routes }: Pick<RelayConfig, 'providers' | 'routes'>, { name }: ProviderConfig) {
  const regional = new Set(providers.map((provider) => provider.name));
  return routes.flatMap((route) =>
    route.deployments
      .filter(({ id, provider }) => (regional.has(id) ? id : provider) === name)
      .map(({ id, model }) => ({ model, route: route.model, deployment: id })),
  );
}

/** The ids that a provider lists, or why they cannot be had. */
async function listModels(
  { baseUrl, apiKeyEnv }: ProviderConfig,
  options: { env: Readonly<Record<string, string | undefined>>; fetch: typeof fetch },
): Promise<Set<string> | string> {
  const key = apiKeyEnv === undefined ? undefined : options.env[apiKeyEnv]?.trim();
  if (apiKeyEnv !== undefined && !key) return `${apiKeyEnv} is not set`;
  try {
    const response = await options.fetch(`${baseUrl}/models`, {
      headers: { accept: 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) },
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
