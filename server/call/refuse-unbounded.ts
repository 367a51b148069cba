import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { isObject, type JsonObject } from '../../protocol/text/json-object.ts';
import { invalid } from './read-request.ts';

/** BlockRun's: a search is billed beside its tokens, so a route has to sell it (`search`), at a price for each call. */
export const searchParameters: readonly string[] = ['search', 'search_parameters'];

/**
 * Parameters whose cost the output limit and the prompt's length do not bound: built-in tools and searches that are
 * billed by the piece, predictions (rejected tokens are billed beyond the limit), other models, hidden extra answers, log
 * probabilities of the prompt (which lengthen the answer beyond any limit).
 * Some belong to providers that extend OpenAI's API (OpenRouter, xAI, Alibaba, vLLM, Azure), some to gateways before them (LiteLLM).
 */
const unboundedParameters = [
  ...searchParameters,
  'web_search_options',
  'prediction',
  'plugins',
  'models',
  'preset',
  'enable_search',
  'best_of',
  // llama.cpp's `n`, which it goes before.
  'n_cmpl',
  'prompt_logprobs',
  ...['access_programs', 'chat_template', 'content_policy_fallbacks', 'context_window_fallbacks', 'data_sources'],
  ...['deferred', 'extra_body', 'fallbacks', 'num_retries', 'provider', 'route'],
];

/**
 * The output limits of the several APIs, and of servers that take their own one too: llama.cpp's `n_predict` goes before the `max_tokens` of
 * the quote.
 */
const limitNames = [
  ...['max_completion_tokens', 'max_output_tokens', 'max_tokens', 'max_tokens_to_sample'],
  ...['max_gen_tokens', 'max_length', 'max_new_tokens', 'n_predict', 'num_predict'],
];
const chatLimitNames: readonly string[] = ['max_completion_tokens', 'max_tokens'];

/** Members whose own members could do the same: what they must be where they are there, or null for nothing. */
const watchedWithin: readonly { parent: string; member: string; allowed: string | null }[] = [
  { parent: 'reasoning', member: 'mode', allowed: 'standard' },
  { parent: 'prompt_cache_options', member: 'comparison_response_id', allowed: null },
  { parent: 'diagnostics', member: 'previous_message_id', allowed: null },
];

/** Every member that `refuseUnbounded` looks at: another spelling of it must not pass. */
export const watchedParameters: readonly string[] = [
  ...unboundedParameters,
  ...limitNames,
  ...watchedWithin.map(({ parent }) => parent),
  ...['modalities', 'n', 'service_tier', 'tools'],
];

/** Tools that the client runs itself; every other type is run, and billed, by the provider. */
const clientTools: readonly (string | undefined)[] = ['function', 'custom'];

/** Service tiers at the listed price. */
const listedTiers: readonly string[] = ['auto', 'default'];

/** What a price table has prices for; images that are generated cost many times what text does. */
const pricedModalities: readonly string[] = ['text', 'audio'];

/** What differs between APIs; by default it is as in chat completions. */
export interface BoundedNames {
  /** Further members that nothing bounds. */
  also?: readonly string[];
  /** Service tiers at the listed price. */
  tiers?: readonly string[];
  /** Types of tools that the client runs itself; undefined among them where a tool may have none. */
  tools?: readonly (string | undefined)[];
  /** Its output limits: what only other APIs call one is refused, since a provider may obey it. */
  limits?: readonly string[];
  /** Whether it has `n`; elsewhere it may only be 1. */
  manyChoices?: boolean;
  /** Whether its requests may search, where a route sells that; who reads them sees to it (readSearch). */
  maySearch?: boolean;
}

/**
 * Refuses by name what tokens do not bound, so that a quote is true.
 * @throws AutoPayError `unsupported_parameter`.
 */
export function refuseUnbounded(
  value: Readonly<Record<string, unknown>>,
  {
    also = [],
    tiers = listedTiers,
    tools = clientTools,
    limits = chatLimitNames,
    manyChoices = true,
    maySearch = false,
  }: BoundedNames = {},
): void {
  const isRefused = (param: string) => isGiven(value[param]) && !(maySearch && searchParameters.includes(param));
  const isOtherLimit = (param: string) => isRefused(param) && !limits.includes(param);
  const refused = unboundedParameters.find(isRefused) ?? also.find(isRefused);
  if (refused !== undefined) throw refuseMember(refused);
  const otherLimit = limitNames.find(isOtherLimit);
  if (otherLimit !== undefined)
    throw unsupported(otherLimit, `"${otherLimit}" is another API's limit. ${limitRemedy(limits)}`);
  if (!manyChoices && isGiven(value['n']) && value['n'] !== 1) throw refuseMember('n');
  for (const watched of watchedWithin) refuseWithin(value[watched.parent], watched);
  const tier = value['service_tier'];
  if (isGiven(tier) && !tiers.some((listed) => listed === tier)) {
    throw unsupported('service_tier', `Only the service tiers "${tiers.join('" and "')}" are supported.`);
  }
  const modalities = readList(value['modalities'], 'modalities');
  if (!modalities.every((one) => pricedModalities.some((priced) => priced === one))) {
    throw unsupported('modalities', `Only the modalities "${pricedModalities.join('" and "')}" are supported.`);
  }
  readList(value['tools'], 'tools').forEach((tool, index) => {
    const type = typeof tool === 'object' && tool !== null && 'type' in tool ? tool.type : undefined;
    if (!tools.some((name) => name === type)) {
      const named = tools.filter((name) => name !== undefined).join('" and "');
      throw unsupported(`tools[${index}].type`, `Only tools of the types "${named}" are supported.`);
    }
  });
}

function limitRemedy([first]: readonly string[]): string {
  return first === undefined ? 'Leave it out.' : `Send "${first}" instead.`;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** A list, since a provider may take something else for one. */
function readList(value: unknown, param: string): readonly unknown[] {
  if (!isGiven(value)) return [];
  if (!Array.isArray(value)) throw invalid(param, 'an array');
  return value;
}

/** Another spelling is as good as the member to a reader that ignores case. */
function refuseWithin(value: unknown, of: { parent: string; member: string; allowed: string | null }): void {
  if (!isObject(value)) return;
  for (const [key, told] of Object.entries(value)) {
    if (key.toLowerCase() !== of.member || !isGiven(told) || told === of.allowed) continue;
    throw refuseMember(`${of.parent}.${key}`);
  }
}

/**
 * Refuses a part that stands for a file at the provider: its length is not known, and it may be another payer's, since all of them come
 * with the relay's key.
 * @param path of the part
 * @throws AutoPayError `unsupported_parameter`.
 */
export function refuseStoredFile(part: JsonObject, path: string): void {
  for (const [name, holder] of [
    ['', part],
    ['file.', part['file']],
    ['source.', part['source']],
  ] as const) {
    if (!isObject(holder)) continue;
    for (const [key, value] of Object.entries(holder)) {
      if (key.toLowerCase() === 'file_id' && isGiven(value)) throw refuseMember(`${path}.${name}${key}`);
    }
  }
}

/** The refusal of a member whose cost nothing bounds. */
export function refuseMember(param: string): AutoPayError {
  return unsupported(param, `"${param}" is not supported: its cost has no bound before the call. Leave it out.`);
}

function unsupported(param: string, message: string): AutoPayError {
  return new AutoPayError('unsupported_parameter', message, { param });
}
