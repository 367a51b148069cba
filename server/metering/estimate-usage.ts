import type { TokenUsage } from '../../protocol/receipt/call-receipt.ts';
import { TokenCounter } from './count-tokens.ts';

/** Of one call, this many characters are tokenized; of what is beyond, one token is counted for every four bytes. */
const maxCountedCharacters = 262_144;
const bytesPerToken = 4;
/** Template tokens of a message, and of the begun answer (OpenAI Cookbook, "How to count tokens with tiktoken"). */
const tokensPerMessage = 3;
const tokensPerAnswer = 3;

/** What is counted when a provider gives no usage. */
export interface EstimateInput {
  /** The request's messages, or what stands for them. */
  messages: readonly unknown[];
  /** The request's `tools`, if any. */
  tools?: unknown;
  /** Tokens of the prompt that came as such. */
  tokens?: number;
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
  const counter = await TokenCounter.open('o200k_base', maxCountedCharacters);
  const count = (text: string) => counter.count(text, bytesPerToken);
  let completion = 0;
  for (const text of input.answer) completion += await count(text);
  let prompt = tokensPerAnswer + (input.tokens ?? 0);
  for (const message of input.messages) {
    prompt += tokensPerMessage;
    for (const text of collectTexts(message)) prompt += await count(text);
  }
  if (input.tools !== undefined) prompt += await count(JSON.stringify(input.tools));
  return { prompt, cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0, completion, reasoning: 0, audioCompletion: 0 };
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
