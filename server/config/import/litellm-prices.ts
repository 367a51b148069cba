import { shiftDecimal } from '../parse-price-ceiling.ts';
import type { ConfigPath } from '../report-issues.ts';
import { scalarText } from '../yaml-source.ts';
import type { Imported, ImportOptions } from './imported.ts';
import type { LiteLlmEntry } from './litellm-schema.ts';

/** What a provider bills, in US dollars per 1,000,000 tokens; decimals. */
export interface LiteLlmCost {
  prompt: string;
  completion: string;
  cachedPrompt?: string;
  cacheWrite?: string;
}

/** LiteLLM's names of costs per token, by ours. */
const costKeys = {
  prompt: 'input_cost_per_token',
  completion: 'output_cost_per_token',
  cachedPrompt: 'cache_read_input_token_cost',
  cacheWrite: 'cache_creation_input_token_cost',
} as const;

/** The costs that an entry states; undefined if it states none, or not both of prompt and completion. */
export function readCost(entry: LiteLlmEntry, from: ConfigPath, { source }: ImportOptions): LiteLlmCost | undefined {
  const read = (key: string): string | undefined => {
    for (const section of ['model_info', 'litellm_params'] as const) {
      if (entry[section]?.[key] === undefined) continue;
      // As it is written: a number would have passed through floating point.
      const text = scalarText(source, [...from, section, key]);
      if (text !== undefined) return perMillion(text);
    }
    return undefined;
  };
  const prompt = read(costKeys.prompt);
  const completion = read(costKeys.completion);
  if (prompt === undefined || completion === undefined) return undefined;
  const cachedPrompt = read(costKeys.cachedPrompt);
  const cacheWrite = read(costKeys.cacheWrite);
  return { prompt, completion, ...(cachedPrompt && { cachedPrompt }), ...(cacheWrite && { cacheWrite }) };
}

/** Dollars per token as dollars per 1,000,000 tokens, exactly; undefined if it is no number. */
function perMillion(text: string): string | undefined {
  const [, digits, exponent = '0'] = /^\+?(\d+(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d{1,3}))?$/.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  return shiftDecimal(digits.startsWith('.') ? `0${digits}` : digits, 6 + Number(exponent));
}

/**
 * What a route of several entries is sold at: part by part the highest of their costs, so that no entry is sold below its own.
 * Undefined if one of them states none.
 */
export function priceOfCosts(costs: readonly (LiteLlmCost | undefined)[]): LiteLlmCost | undefined {
  const [first, ...rest] = costs;
  if (first === undefined) return undefined;
  let price = first;
  for (const cost of rest) {
    if (cost === undefined) return undefined;
    const cachedPrompt = highest(price.cachedPrompt ?? price.prompt, cost.cachedPrompt ?? cost.prompt);
    const cacheWrite = highest(price.cacheWrite ?? price.prompt, cost.cacheWrite ?? cost.prompt);
    const prompt = highest(price.prompt, cost.prompt);
    price = { prompt, completion: highest(price.completion, cost.completion), cachedPrompt, cacheWrite };
  }
  return price;
}

function highest(a: string, b: string): string {
  const [wholeA = '', fractionA = ''] = a.split('.');
  const [wholeB = '', fractionB = ''] = b.split('.');
  const places = Math.max(fractionA.length, fractionB.length);
  return BigInt(wholeA + fractionA.padEnd(places, '0')) >= BigInt(wholeB + fractionB.padEnd(places, '0')) ? a : b;
}

/** Costs are US dollars: what is not sold in them needs a price of its own. */
export function takesDollars(
  { priceCurrency }: ImportOptions,
  at: { path: ConfigPath; model: string },
  imported: Imported,
): boolean {
  if (priceCurrency === 'USD') return true;
  const message =
    `has costs in US dollars, and prices of autopay.yaml are in ${priceCurrency ?? 'its first token'}; ` +
    `set priceCurrency: USD with a rate or oracle for each token, or name the price as prices.${at.model}`;
  imported.issues.push({ path: at.path, message });
  return false;
}
