import { readFileSync } from 'node:fs';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { dig, isThere, readAgain } from './read-again.ts';
import type { RecordedAnswer } from './record-answers.ts';

/**
 * Test support: a second meter, written from docs/PROTOCOL.md ("Quote", "Price and charge") and sharing no code with the relay's. It
 * reads the raw text of both sides.
 */

type PriceKind =
  'prompt' | 'cachedPrompt' | 'cacheWrite' | 'audioPrompt' | 'completion' | 'audioCompletion' | 'request';

/** What a model is sold at, and how far it reaches. */
export interface Sold {
  contextTokens: number;
  maxOutputTokens: number;
  defaultMaxOutputTokens: number;
  /** Per 1,000,000 tokens (`request`: per call), as in the price table. */
  prices: Record<PriceKind, bigint>;
  tokenDecimals: number;
  /** Null where the prices are atomic units. */
  oracle: { answer: bigint; decimals: number } | null;
}

/** What the second meter says of a call. */
export interface MeteredAgain {
  quote: bigint;
  amount: bigint;
  usageKind: 'exact' | 'estimated';
  /** Whether the provider told what cannot be. */
  impossible: boolean;
  usage: Record<string, number>;
}

/** Meters an answer. */
export function meterAgain(recorded: RecordedAnswer, sold: Sold): MeteredAgain {
  const { provider, request } = recorded;
  const asked: unknown = JSON.parse(request);
  const { hasOnlyText, isOutputCounted = true, messages, told, texts } = readAgain(recorded);
  const choices = Number(dig(asked, 'n') ?? 1);
  const limits = ['max_completion_tokens', 'max_output_tokens', 'max_tokens'].map((name) => dig(asked, name));
  const outputTokens = Math.min(Number(limits.find(isThere) ?? sold.defaultMaxOutputTokens), sold.maxOutputTokens);
  const hasTools = dig(asked, 'tools') !== undefined;
  // Of Anthropic's own API the provider's instructions for tools are in the quote.
  const isMessages = recorded.path === '/v1/messages';
  const byBytes = hasOnlyText
    ? new TextEncoder().encode(request).length + 64 + (isMessages && hasTools ? 1_024 : 0)
    : Infinity;
  const promptTokens = Math.min(byBytes, sold.contextTokens);
  const quote = priceOf(sold, [
    [promptTokens, dearest(sold, ['prompt', 'cachedPrompt', 'cacheWrite', 'audioPrompt'])],
    [outputTokens * choices, dearest(sold, ['completion', 'audioCompletion'])],
  ]);
  const bounds = {
    prompt: promptTokens,
    completion: choices * outputTokens,
    promptMargin: hasTools && !isMessages ? 1_024 : 0,
    completionMargin: choices * 16,
  };
  const read = readTold(told, { isBeside: countsBeside(provider), bounds, texts });
  const guess = () => estimate(messages, { tools: dig(asked, 'tools'), texts, bounds });
  const isWordless = texts === '';
  const saysPrompt = dig(told, 'prompt_tokens') !== 0;
  const saysOutput = isOutputCounted && (read?.toldCompletion !== 0 || isWordless);
  const { impossible, isCut, toldCompletion: _, ...usage } = read ? { ...read } : guess();
  if (read && !saysPrompt) {
    const { prompt, cachedPrompt, cacheWrite, audioPrompt } = guess();
    Object.assign(usage, { prompt, cachedPrompt, cacheWrite, audioPrompt });
  }
  if (read && !saysOutput) usage.completion = Math.max(usage.completion, guess().completion);
  const { audioCompletion, audioPrompt, cachedPrompt, cacheWrite, completion, prompt } = usage;
  const cost = priceOf(sold, [
    [prompt - cachedPrompt - cacheWrite - audioPrompt, sold.prices.prompt],
    [cachedPrompt, sold.prices.cachedPrompt],
    [cacheWrite, sold.prices.cacheWrite],
    [audioPrompt, sold.prices.audioPrompt],
    [completion - audioCompletion, sold.prices.completion],
    [audioCompletion, sold.prices.audioCompletion],
  ]);
  const usageKind = read && !impossible && !isCut && saysPrompt && saysOutput ? 'exact' : 'estimated';
  return { quote, amount: cost < quote ? cost : quote, usageKind, impossible, usage };
}

interface Bounds {
  prompt: number;
  completion: number;
  /** What may be true beyond them. */
  promptMargin: number;
  completionMargin: number;
}

interface Read {
  prompt: number;
  cachedPrompt: number;
  cacheWrite: number;
  audioPrompt: number;
  completion: number;
  reasoning: number;
  audioCompletion: number;
  impossible: boolean;
  /** Whether less is charged than was told. */
  isCut: boolean;
  /** The completion before it was held against its bound. */
  toldCompletion: number | undefined;
}

/** Null where there is no usage. */
function readTold(told: unknown, options: { isBeside: boolean; bounds: Bounds; texts: string }): Read | null {
  const { bounds, isBeside, texts } = options;
  if (!isThere(dig(told, 'prompt_tokens')) || !isThere(dig(told, 'completion_tokens'))) return null;
  let impossible = false;
  // The largest: some servers fill in a zero where they do not count.
  const numberAt = (...paths: string[]): number | undefined => {
    let largest = 0;
    for (const path of paths) {
      const [first = '', second] = path.split('.');
      const outer = dig(told, first);
      if (second !== undefined && isThere(outer) && typeof outer !== 'object') return refuse();
      const value = second === undefined ? outer : dig(outer, second);
      if (!isThere(value)) continue;
      if (typeof value !== 'number' || value < 0 || value >= 2 ** 53 || value % 1 !== 0) return refuse();
      if (value > largest) largest = value;
    }
    return largest;
  };
  const refuse = (): undefined => {
    impossible = true;
    return undefined;
  };
  let isCut = false;
  const within = (value: number, most: number, margin = 0): number => {
    if (value > most + margin) impossible = true;
    if (margin > 0 && value > most) isCut = true;
    return value > most ? most : value;
  };
  const toldPrompt = numberAt('prompt_tokens');
  const toldCompletion = numberAt('completion_tokens');
  let toldReasoning = numberAt('completion_tokens_details.reasoning_tokens') ?? 0;
  const more = Number(dig(told, 'total_tokens') ?? NaN) - ((toldPrompt ?? NaN) + (toldCompletion ?? NaN));
  if (isBeside && toldReasoning === 0 && more > 0) toldReasoning = more;
  const beside = more !== 0 && (isBeside || more === toldReasoning) ? toldReasoning : 0;
  const visible = Math.min(new TextEncoder().encode(texts).length, bounds.completion);
  const prompt = within(toldPrompt ?? bounds.prompt, bounds.prompt, bounds.promptMargin);
  const completion =
    toldCompletion === undefined
      ? visible
      : within(toldCompletion + beside, bounds.completion, bounds.completionMargin);
  const counted = toldCompletion === undefined ? undefined : toldCompletion + beside;
  const cachedPrompt = within(
    numberAt(
      'prompt_tokens_details.cached_tokens',
      'prompt_cache_hit_tokens',
      'cached_tokens',
      'cache_read_input_tokens',
    ) ?? 0,
    prompt,
  );
  const cacheWrite = within(
    numberAt(
      'prompt_tokens_details.cache_write_tokens',
      'prompt_tokens_details.cache_creation_tokens',
      'cache_creation_input_tokens',
    ) ?? 0,
    prompt - cachedPrompt,
  );
  const audio = within(numberAt('prompt_tokens_details.audio_tokens') ?? 0, prompt);
  const reasoning = within(toldReasoning, completion);
  const audioCompletion = within(numberAt('completion_tokens_details.audio_tokens') ?? 0, completion);
  const audioPrompt = Math.min(audio, prompt - cachedPrompt - cacheWrite);
  const parts = { cachedPrompt, cacheWrite, audioPrompt, reasoning, audioCompletion };
  return { prompt, completion, ...parts, impossible, isCut, toldCompletion: counted };
}

/** By the tokenizer: 3 tokens for each message and for the answer's beginning, and the texts. */
function estimate(messages: readonly unknown[], options: { tools: unknown; bounds: Bounds; texts: string }): Read {
  const { bounds, texts, tools } = options;
  const tokens = (text: string) => encode(text).length;
  let prompt = 3;
  for (const message of messages) {
    const content = dig(message, 'content');
    const parts: unknown[] = Array.isArray(content) ? content : [];
    const pieces = Array.isArray(content) ? parts.map((part) => dig(part, 'text')) : [content];
    prompt += 1_024 * parts.filter((part) => dig(part, 'type') === 'image_url').length;
    for (const text of [dig(message, 'role'), dig(message, 'name'), ...pieces]) {
      if (typeof text === 'string') prompt += tokens(text);
    }
    prompt += 3;
  }
  if (isThere(tools)) prompt += tokens(JSON.stringify(tools));
  const none = { cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0, reasoning: 0, audioCompletion: 0 };
  const completion = Math.min(tokens(texts), bounds.completion);
  const counts = { prompt: Math.min(prompt, bounds.prompt), completion, ...none };
  return { ...counts, impossible: false, isCut: false, toldCompletion: undefined };
}

/** `⌈(Σ tokens × price + 10⁶ × request price) / 10⁶⌉`, converted before it is rounded. */
function priceOf({ oracle, prices, tokenDecimals }: Sold, parts: readonly (readonly [number, bigint])[]): bigint {
  const million = 10n ** 6n;
  const sum = parts.reduce((total, [tokens, price]) => total + BigInt(tokens) * price, million * prices.request);
  const top = oracle === null ? sum : sum * 10n ** BigInt(tokenDecimals + oracle.decimals);
  const bottom = oracle === null ? million : million * 10n ** 8n * oracle.answer;
  return top / bottom + (top % bottom === 0n ? 0n : 1n);
}

function dearest({ prices }: Sold, kinds: readonly PriceKind[]): bigint {
  return kinds.map((kind) => prices[kind]).reduce((most, price) => (most < price ? price : most));
}

function countsBeside(provider: string): boolean {
  const file = new URL('../../server/providers/catalogue.json', import.meta.url);
  const catalogue: unknown = JSON.parse(readFileSync(file, 'utf8'));
  return (catalogue as unknown[]).some((one) => dig(one, 'name') === provider && dig(one, 'reasoning') === 'beside');
}
