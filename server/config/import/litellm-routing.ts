import type { ConfigPath } from '../report-issues.ts';
import { defaultMembers } from '../routing-schema.ts';
import type { Imported, ImportedRoute } from './imported.ts';
import type { LiteLlmEntry, LiteLlmFile } from './litellm-schema.ts';

/** The relay's bounds of these. */
const maxRetries = 7;
const maxAttemptMs = 3_600_000;
const maxCallMs = 1_200_000;
const plainCallMs = 600_000;
/** Weights are shares of each other, so whatever stays of a fraction is enough. */
const weightScale = 1_000;
const bytesPerMb = 1_048_576;

/** What an entry says of routing, in the words of a deployment. */
export function deploymentRoutingOf(entry: LiteLlmEntry, file: LiteLlmFile): Record<string, unknown> {
  const { litellm_params: params, model_info: info } = entry;
  const { weight, order, timeout, stream_timeout: streamTimeout } = params;
  const parallel = params.max_parallel_requests ?? file.router_settings?.default_max_parallel_requests ?? undefined;
  const defaults = Object.fromEntries(
    defaultMembers
      .filter((name) => params[name] !== undefined && params[name] !== null)
      .map((name) => [name, params[name]]),
  );
  // As LiteLLM's router looks for them.
  const [rpm, tpm] = (['rpm', 'tpm'] as const).map((key) => entry[key] ?? params[key] ?? info?.[key]);
  const isFiltering = file.router_settings?.enable_tag_filtering === true;
  const timeouts = {
    ...(timeout !== undefined && { attemptMs: toMs(timeout) }),
    ...(streamTimeout !== undefined && { firstByteMs: toMs(streamTimeout) }),
  };
  return {
    ...(order !== undefined && { order }),
    ...(weight !== undefined && { weight: Math.max(1, Math.round(weight * weightScale)) }),
    ...(rpm !== undefined && { rpm }),
    ...(tpm !== undefined && { tpm }),
    ...(parallel !== undefined && { maxConcurrentCalls: parallel }),
    ...(isFiltering && params.tags && params.tags.length > 0 && { tags: params.tags }),
    ...(typeof info?.supports_function_calling === 'boolean' && { tools: info.supports_function_calling }),
    ...(typeof info?.supports_vision === 'boolean' && { vision: info.supports_vision }),
    ...(Object.keys(timeouts).length > 0 && { timeouts }),
    ...(Object.keys(defaults).length > 0 && { defaults }),
  };
}

/** What the file says of the routing of every route, and the entries of this one. */
export function routeRoutingOf(
  model: string,
  { entries, file }: { entries: readonly LiteLlmEntry[]; file: LiteLlmFile },
): Record<string, unknown> {
  const { router_settings: router, litellm_settings: settings } = file;
  const retries = Math.max(
    router?.num_retries ?? settings?.num_retries ?? 0,
    ...entries.map(({ litellm_params: params }) => params.num_retries ?? 0),
  );
  const attempt = router?.timeout ?? settings?.request_timeout;
  const stream = router?.stream_timeout;
  const timeouts = {
    ...(attempt && { attemptMs: toMs(attempt) }),
    ...(stream && { firstByteMs: toMs(stream) }),
  };
  return {
    strategy: router?.routing_strategy ?? 'simple-shuffle',
    ...(retries > 0 && { retries: Math.min(retries, maxRetries) }),
    ...fallbackRoutingOf([model], file),
    ...(Object.keys(timeouts).length > 0 && { timeouts }),
  };
}

/**
 * The fallbacks of a route, in the words of autopay.yaml.
 * @param names of the route: an alias has its own, and else those of the model that it stands for
 */
export function fallbackRoutingOf(
  names: readonly [string, ...string[]],
  file: LiteLlmFile,
): Partial<Record<'fallbacks' | 'contextWindowFallbacks' | 'contentPolicyFallbacks', string[]>> {
  const named = (key: FallbackKey) =>
    names
      .map((name) => fallbacksOf(file, key, name))
      .find((list) => list !== undefined)
      // An alias of a model may stand among that model's own.
      ?.filter((name) => name !== names[0]);
  const general = named('fallbacks') ?? defaultsOf(file).filter((name) => name !== names[0]);
  const context = named('context_window_fallbacks');
  const policy = named('content_policy_fallbacks');
  return {
    ...(general.length > 0 && { fallbacks: general }),
    ...(context && { contextWindowFallbacks: context }),
    ...(policy && { contentPolicyFallbacks: policy }),
  };
}

type FallbackKey = 'fallbacks' | 'context_window_fallbacks' | 'content_policy_fallbacks';

function fallbacksOf(file: LiteLlmFile, key: FallbackKey, model: string): string[] | undefined {
  const lists = [...(file.router_settings?.[key] ?? []), ...(file.litellm_settings?.[key] ?? [])];
  return lists.find((list) => Object.hasOwn(list, model))?.[model];
}

/** LiteLLM writes them as a list, or as the fallbacks of `*`. */
function defaultsOf(file: LiteLlmFile): string[] {
  const listed = file.router_settings?.default_fallbacks ?? file.litellm_settings?.default_fallbacks;
  return listed ?? fallbacksOf(file, 'fallbacks', '*') ?? [];
}

/** Takes what the file says for all routes, and reports fallbacks that lead nowhere. */
export function addRouting(file: LiteLlmFile, imported: Imported): void {
  const { router_settings: router, litellm_settings: settings, general_settings: general } = file;
  const fails = router?.allowed_fails ?? settings?.allowed_fails;
  const cooldown = router?.cooldown_time ?? settings?.cooldown_time;
  const isOff = router?.disable_cooldowns === true;
  if (isOff || typeof fails === 'number' || typeof cooldown === 'number') {
    imported.routing['cooldown'] = {
      ...(isOff ? { allowedFails: 10_000 } : typeof fails === 'number' && { allowedFails: fails }),
      ...(typeof cooldown === 'number' && { seconds: Math.max(1, Math.round(cooldown)) }),
    };
  }
  if (typeof router?.retry_after === 'number' && router.retry_after > 0) {
    imported.routing['backoff'] = { firstMs: toMs(router.retry_after) };
  }
  if (general?.background_health_checks === true) {
    const interval = general.health_check_interval;
    const intervalSeconds = interval ? { intervalSeconds: Math.max(1, Math.round(interval)) } : {};
    imported.routing['healthChecks'] = { probe: 'models', ...intervalSeconds };
  }
  addCallLimits(file, imported);
  requireFallbacks(file, imported);
}

/** LiteLLM's own default is 6,000 s; the escrow leaves an hour to collect, so no call here takes more than 20 minutes. */
function addCallLimits(file: LiteLlmFile, imported: Imported): void {
  const ofRouter = file.router_settings?.timeout;
  const path: ConfigPath = ofRouter ? ['router_settings', 'timeout'] : ['litellm_settings', 'request_timeout'];
  const timeoutMs = (ofRouter ?? file.litellm_settings?.request_timeout ?? 0) * 1_000;
  if (timeoutMs > maxCallMs) {
    const message = 'is above 1200 seconds, the most that a call may take';
    imported.warnings.push({ path, status: 'warned', message });
  }
  if (timeoutMs > plainCallMs) imported.limits['callTimeoutMs'] = Math.round(Math.min(timeoutMs, maxCallMs));
  const calls = file.general_settings?.global_max_parallel_requests;
  if (calls !== undefined && calls !== null) imported.limits['maxConcurrentCalls'] = calls;
  const { max_request_size_mb: requestMb, max_response_size_mb: responseMb } = file.general_settings ?? {};
  if (requestMb) imported.limits['maxBodyBytes'] = Math.ceil(requestMb * bytesPerMb);
  if (responseMb) imported.limits['maxResponseBytes'] = Math.ceil(responseMb * bytesPerMb);
}

function requireFallbacks(file: LiteLlmFile, imported: Imported): void {
  const known = new Set(imported.routes.map(({ route }: ImportedRoute) => route.model));
  for (const section of ['router_settings', 'litellm_settings'] as const) {
    for (const key of ['fallbacks', 'context_window_fallbacks', 'content_policy_fallbacks'] as const) {
      (file[section]?.[key] ?? []).forEach((list, index) => {
        for (const [model, names] of Object.entries(list)) {
          const path = [section, key, index, model];
          for (const name of [...(model === '*' ? [] : [model]), ...names]) {
            if (!known.has(name)) imported.issues.push({ path, message: `names ${name}, which is no model_name` });
          }
        }
      });
    }
  }
}

function toMs(seconds: number): number {
  return Math.max(1, Math.min(Math.round(seconds * 1_000), maxAttemptMs));
}
