import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/**
 * Parameters whose cost the output limit and the prompt's length do not bound: built-in tools and searches that are
 * billed by the piece, predictions (rejected tokens are billed beyond the limit), other models, hidden extra answers, log
 * probabilities of the prompt (which lengthen the answer beyond any limit).
 * Some belong to providers that extend OpenAI's API (OpenRouter, xAI, Alibaba, vLLM).
 */
export const unboundedParameters = [
  'web_search_options',
  'prediction',
  'plugins',
  'models',
  'preset',
  'search_parameters',
  'enable_search',
  'best_of',
  'prompt_logprobs',
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
}

/**
 * Refuses by name what tokens do not bound, so that a quote is true.
 * @throws AutoPayError `unsupported_parameter`.
 */
export function refuseUnbounded(
  value: Readonly<Record<string, unknown>>,
  { also = [], tiers = listedTiers, tools = clientTools }: BoundedNames = {},
): void {
  for (const param of [...unboundedParameters, ...also]) {
    if (value[param] !== undefined && value[param] !== null) throw refuseMember(param);
  }
  const tier = value['service_tier'];
  if (tier !== undefined && tier !== null && !tiers.some((listed) => listed === tier)) {
    throw unsupported('service_tier', `Only the service tiers "${tiers.join('" and "')}" are supported.`);
  }
  const { modalities } = value;
  if (Array.isArray(modalities) && !modalities.every((one) => pricedModalities.some((priced) => priced === one))) {
    throw unsupported('modalities', `Only the modalities "${pricedModalities.join('" and "')}" are supported.`);
  }
  const { tools: listed } = value;
  if (!Array.isArray(listed)) return;
  listed.forEach((tool: unknown, index) => {
    const type = typeof tool === 'object' && tool !== null && 'type' in tool ? tool.type : undefined;
    if (!tools.some((name) => name === type)) {
      const named = tools.filter((name) => name !== undefined).join('" and "');
      throw unsupported(`tools[${index}].type`, `Only tools of the types "${named}" are supported.`);
    }
  });
}

/** The refusal of a member whose cost nothing bounds. */
export function refuseMember(param: string): AutoPayError {
  return unsupported(param, `"${param}" is not supported: its cost has no bound before the call. Leave it out.`);
}

function unsupported(param: string, message: string): AutoPayError {
  return new AutoPayError('unsupported_parameter', message, { param });
}
