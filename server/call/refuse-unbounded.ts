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
const clientTools = ['function', 'custom'];

/** Service tiers at the listed price. */
const listedTiers = ['auto', 'default'];

/**
 * Refuses by name what tokens do not bound, so that a quote is true.
 * @throws AutoPayError `unsupported_parameter`.
 */
export function refuseUnbounded(value: Readonly<Record<string, unknown>>): void {
  for (const param of unboundedParameters) {
    if (value[param] !== undefined && value[param] !== null) {
      throw unsupported(param, `"${param}" is not supported: its cost has no bound before the call. Leave it out.`);
    }
  }
  const tier = value['service_tier'];
  if (tier !== undefined && tier !== null && !listedTiers.some((listed) => listed === tier)) {
    throw unsupported('service_tier', 'Only the service tiers "auto" and "default" are supported.');
  }
  const { tools } = value;
  if (!Array.isArray(tools)) return;
  tools.forEach((tool: unknown, index) => {
    const type = typeof tool === 'object' && tool !== null && 'type' in tool ? tool.type : undefined;
    if (typeof type !== 'string' || !clientTools.includes(type)) {
      throw unsupported(`tools[${index}].type`, 'Only tools of the types "function" and "custom" are supported.');
    }
  });
}

function unsupported(param: string, message: string): AutoPayError {
  return new AutoPayError('unsupported_parameter', message, { param });
}
