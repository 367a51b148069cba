import type { TokenUsage } from '../../protocol/receipt/call-receipt.ts';

type CountTokens = (text: string) => number;

/** Longer texts are counted in slices, with a pause after each: tokenizing must not stop the other calls. */
const sliceCharacters = 4096;
/** Template tokens of a message, and of the begun answer (OpenAI Cookbook, "How to count tokens with tiktoken"). */
const tokensPerMessage = 3;
const tokensPerAnswer = 3;

let loading: Promise<CountTokens> | undefined;

/** The vocabulary takes tens of megabytes: it is loaded by the first call that needs it. */
function loadTokenizer(): Promise<CountTokens> {
  loading ??= import('gpt-tokenizer/encoding/o200k_base').then(({ countTokens }) => {
    // Text that looks like a special token is plain text here.
    return (text) => countTokens(text, { disallowedSpecial: new Set() });
  });
  return loading;
}

/** What is counted when a provider gives no usage. */
export interface EstimateInput {
  /** The request's `messages`. */
  messages: readonly unknown[];
  /** The request's `tools`, if any. */
  tools?: unknown;
  /** All text of the answer, of every choice; arguments of tool calls too. */
  answer: readonly string[];
}

/**
 * Estimates usage with the o200k tokenizer, for a provider that gives none. Exact for the texts of OpenAI's newer models,
 * near for others; images, sounds and hidden reasoning are not seen. Receipts mark it as `estimated`.
 */
export async function estimateUsage(input: EstimateInput): Promise<TokenUsage> {
  const count = await loadTokenizer();
  let prompt = tokensPerAnswer;
  for (const message of input.messages) {
    prompt += tokensPerMessage;
    for (const text of collectTexts(message)) prompt += await countSliced(count, text);
  }
  if (input.tools !== undefined) prompt += await countSliced(count, JSON.stringify(input.tools));
  let completion = 0;
  for (const text of input.answer) completion += await countSliced(count, text);
  return { prompt, cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0, completion, reasoning: 0, audioCompletion: 0 };
}

async function countSliced(count: CountTokens, text: string): Promise<number> {
  let tokens = 0;
  for (let at = 0; at < text.length; at += sliceCharacters) {
    if (at > 0) await new Promise((resolve) => setImmediate(resolve));
    tokens += count(text.slice(at, at + sliceCharacters));
  }
  return tokens;
}

/** A message's texts: role, name, content, tool calls; of parts that are not text, nothing. */
function collectTexts(message: unknown): string[] {
  if (typeof message !== 'object' || message === null) return [];
  const texts: string[] = [];
  for (const [key, value] of Object.entries(message)) {
    if (typeof value === 'string') texts.push(value);
    else if (key === 'content' && Array.isArray(value)) texts.push(...value.flatMap(textOfPart));
    else if (key === 'tool_calls' && Array.isArray(value)) texts.push(JSON.stringify(value));
  }
  return texts;
}

function textOfPart(part: unknown): string[] {
  if (typeof part !== 'object' || part === null) return [];
  return 'text' in part && typeof part.text === 'string' ? [part.text] : [];
}
