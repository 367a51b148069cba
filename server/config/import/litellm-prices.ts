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
  audioPrompt?: string;
  audioCompletion?: string;
}

/** Prompts above these sizes cost more at some providers. */
const above = ['above_128k_tokens', 'above_200k_tokens', 'above_272k_tokens'];
const withAbove = (key: string): string[] => [key, ...above.map((size) => `${key}_${size}`)];

/**
 * LiteLLM's names of costs per token, by ours. A row of a price table has one price for each kind of token, whatever the size of the prompt:
 * the highest of those that stand here (docs/decisions/0024-a-row-has-one-price.md).
 */
const costKeys = {
  prompt: withAbove('input_cost_per_token'),
  completion: [...withAbove('output_cost_per_token'), 'output_cost_per_reasoning_token'],
  cachedPrompt: withAbove('cache_read_input_token_cost'),
  cacheWrite: [...withAbove('cache_creation_input_token_cost'), 'cache_creation_input_token_cost_above_1hr'],
  audioPrompt: ['input_cost_per_audio_token'],
  audioCompletion: ['output_cost_per_audio_token'],
} as const satisfies Record<keyof LiteLlmCost, readonly string[]>;

/** The costs beside those of a plain token, with what becomes of them. */
export const furtherCosts: readonly (readonly [key: string, note: string])[] = Object.entries(costKeys).flatMap(
  ([kind, keys]) =>
    keys
      .filter((key) => !/^(?:in|out)put_cost_per_token$/.test(key))
      .map((key) => {
        const isDearer = /_above_|_reasoning_|_audio_/.test(key);
        return [key, `US dollars; \`${kind}\`${isDearer ? ' is the highest of its costs' : ''}`] as const;
      }),
);

/**
 * The costs that an entry states; undefined if it states none, or not both of prompt and completion. What is no cost is reported, never
 * passed over: the model would be sold below it.
 * @param from path of the entry
 */
export function readCost(
  entry: LiteLlmEntry,
  { from, imported, options }: { from: ConfigPath; imported: Imported; options: ImportOptions },
): LiteLlmCost | undefined {
  const readKey = (key: string): string | undefined => {
    // Whose costs LiteLLM puts over those of `model_info`.
    for (const section of ['litellm_params', 'model_info'] as const) {
      const stated = entry[section]?.[key];
      if (stated === undefined || stated === null) continue;
      // As it is written: a number would have passed through floating point.
      const path = [...from, section, key];
      const text = scalarText(options.source, path);
      const cost = text === undefined ? undefined : perMillion(text);
      if (cost === undefined)
        imported.issues.push({ path, message: 'is no cost; it is dollars per token, as 2.5e-06' });
      return cost;
    }
    return undefined;
  };
  const read = (keys: readonly string[]): string | undefined =>
    keys
      .map(readKey)
      .filter((text) => text !== undefined)
      .reduce<string | undefined>((most, text) => (most === undefined ? text : highest(most, text)), undefined);
  // Without its plain cost nothing is known of a kind.
  const states = (key: string) => (entry.litellm_params[key] ?? entry.model_info?.[key] ?? undefined) !== undefined;
  const prompt = states('input_cost_per_token') ? read(costKeys.prompt) : undefined;
  // Embeddings have no output, and most files state no cost of it.
  const isEmbedding = entry.model_info?.mode === 'embedding';
  const completion = states('output_cost_per_token') ? read(costKeys.completion) : isEmbedding ? '0' : undefined;
  if (prompt === undefined || completion === undefined) return undefined;
  const parts = ['cachedPrompt', 'cacheWrite', 'audioPrompt', 'audioCompletion'] as const;
  const told = parts.map((part) => [part, read(costKeys[part])] as const).filter(([, cost]) => cost !== undefined);
  return { prompt, completion, ...Object.fromEntries(told) };
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
    price = {
      prompt: highest(price.prompt, cost.prompt),
      completion: highest(price.completion, cost.completion),
      cachedPrompt: highest(price.cachedPrompt ?? price.prompt, cost.cachedPrompt ?? cost.prompt),
      cacheWrite: highest(price.cacheWrite ?? price.prompt, cost.cacheWrite ?? cost.prompt),
      audioPrompt: highest(price.audioPrompt ?? price.prompt, cost.audioPrompt ?? cost.prompt),
      audioCompletion: highest(price.audioCompletion ?? price.completion, cost.audioCompletion ?? cost.completion),
    };
  }
  return price;
}

/** Whether every part is zero, as the costs of a model of one's own often are. */
export function isZero(price: LiteLlmCost): boolean {
  return Object.values(price).every((part: string) => !/[1-9]/.test(part));
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
