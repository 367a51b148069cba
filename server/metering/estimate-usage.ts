import type { TokenUsage } from '../../protocol/receipt/call-receipt.ts';

type CountTokens = (text: string) => number;

/**
 * Longer texts are counted in slices, with a pause after each: tokenizing must not stop the other calls, and a run of
 * characters without a break takes time that grows with the square of its length.
 */
const sliceCharacters = 256;
/** Of one call, this many characters are tokenized; of what is beyond, one token is counted for every four bytes. */
const maxCountedCharacters = 262_144;
const bytesPerToken = 4;
/** After a longer text there is a pause too, so that many of them are no stop either. */
const pauseCharacters = 64;
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
 * near for others; images, sounds and hidden reasoning are not seen. Of a long call only the first 262,144 characters
 * are tokenized (the answer's before the prompt's); beyond, a token is counted for every four bytes of UTF-8. Receipts
 * mark it as `estimated`.
 */
export async function estimateUsage(input: EstimateInput): Promise<TokenUsage> {
  const counter: Counter = { count: await loadTokenizer(), left: maxCountedCharacters };
  let completion = 0;
  for (const text of input.answer) completion += await countSliced(counter, text);
  let prompt = tokensPerAnswer;
  for (const message of input.messages) {
    prompt += tokensPerMessage;
    for (const text of collectTexts(message)) prompt += await countSliced(counter, text);
  }
  if (input.tools !== undefined) prompt += await countSliced(counter, JSON.stringify(input.tools));
  return { prompt, cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0, completion, reasoning: 0, audioCompletion: 0 };
}

interface Counter {
  count: CountTokens;
  /** Characters that may still be tokenized. */
  left: number;
}

async function countSliced(counter: Counter, text: string): Promise<number> {
  let tokens = 0;
  let at = 0;
  while (at < text.length && counter.left > 0) {
    const end = endOfSlice(text, at, Math.min(sliceCharacters, counter.left));
    tokens += counter.count(text.slice(at, end));
    counter.left -= end - at;
    if (end - at > pauseCharacters || end < text.length) await new Promise((resolve) => setImmediate(resolve));
    at = end;
  }
  return tokens + Math.ceil(Buffer.byteLength(text.slice(at), 'utf8') / bytesPerToken);
}

/** Where a slice ends: before a space if one is near, since a token seldom reaches over it. */
function endOfSlice(text: string, start: number, most: number): number {
  const end = start + most;
  if (end >= text.length) return text.length;
  const space = text.lastIndexOf(' ', end);
  return space > start + most / 2 ? space : end;
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
