import type { TokenUsage } from '../../protocol/receipt/call-receipt.ts';
import { isObject, type JsonObject } from '../../protocol/text/json-object.ts';
import { TokenCounter } from './count-tokens.ts';

/** Of one call, this many characters are tokenized; of what is beyond, one token is counted for every four bytes. */
const maxCountedCharacters = 262_144;
const bytesPerToken = 4;
/** Template tokens of a message, and of the begun answer (OpenAI Cookbook, "How to count tokens with tiktoken"). */
const tokensPerMessage = 3;
const tokensPerAnswer = 3;
/**
 * Of an image, whatever its size: OpenAI counts 765 for a square of 1,024 pixels, and 85 of one that is asked for in low detail, Anthropic
 * 1,600 at most. Of a document at least.
 */
const tokensPerImage = 1_024;
const tokensPerRoughImage = 85;
/** Characters of base64 or of a URL to a token: a page between text and scan, or a second, comes out near what providers count. */
const charactersPerToken = { document: 64, sound: 2_048, video: 1_024 };
/** How deep parts within parts are looked into. */
const maxPartDepth = 3;

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
 * near for others; images, sounds and documents are counted by rule of thumb, hidden reasoning is not seen. Of a long call only the first 262,144 characters
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
    const { texts, tokens } = collectTexts(message);
    for (const text of texts) prompt += await count(text);
    prompt += tokens;
  }
  if (input.tools !== undefined) prompt += await count(JSON.stringify(input.tools));
  return { prompt, cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0, completion, reasoning: 0, audioCompletion: 0 };
}

/** What a message is counted by. */
interface Counted {
  texts: string[];
  /** Of what is no text. */
  tokens: number;
}

/** A message's texts (role, name, content, tool calls), and what else is in its content. */
function collectTexts(message: unknown): Counted {
  const counted: Counted = { texts: [], tokens: 0 };
  if (!isObject(message)) return counted;
  for (const [key, value] of Object.entries(message)) {
    if (typeof value === 'string') counted.texts.push(value);
    else if (key === 'content' && Array.isArray(value)) addParts(counted, value, 0);
    else if (key === 'tool_calls' && Array.isArray(value)) counted.texts.push(JSON.stringify(value));
  }
  return counted;
}

function addParts(counted: Counted, parts: readonly unknown[], depth: number): void {
  for (const part of parts.filter(isObject)) {
    const { input, refusal, text, thinking } = part;
    const content = part['content'] ?? textOfSource(part['source']);
    const told = [text, thinking, refusal, content].filter((one) => typeof one === 'string');
    if (told.length > 0) counted.texts.push(...told);
    else if (Array.isArray(content)) {
      if (depth < maxPartDepth) addParts(counted, content, depth + 1);
    } else if (isObject(input)) counted.texts.push(JSON.stringify(input));
    else counted.tokens += tokensOfAttachment(part);
  }
}

/** The texts of a document that comes as text (Anthropic API reference, "Citations"). */
function textOfSource(source: unknown): unknown {
  if (!isObject(source)) return undefined;
  return source['type'] === 'text' ? source['data'] : source['content'];
}

/** What is no text: an image, a sound, a document, by whichever API's name. */
function tokensOfAttachment(part: JsonObject): number {
  const type = String(part['type']);
  // Of earlier turns, which mostly do not come before the model again.
  if (type === 'redacted_thinking') return 0;
  if (type.includes('image')) return isRough(part) ? tokensPerRoughImage : tokensPerImage;
  const characters = longestText(part, 0);
  if (type.includes('audio')) return Math.ceil(characters / charactersPerToken.sound);
  if (type.includes('video')) return Math.ceil(characters / charactersPerToken.video);
  const tokens = Math.ceil(characters / charactersPerToken.document);
  return type.includes('file') || type.includes('document') ? Math.max(tokensPerImage, tokens) : tokens;
}

function isRough({ detail, image_url: image }: JsonObject): boolean {
  return (isObject(image) ? image['detail'] : detail) === 'low';
}

function longestText(value: unknown, depth: number): number {
  if (typeof value === 'string') return value.length;
  if (!isObject(value) || depth > maxPartDepth) return 0;
  return Object.values(value).reduce<number>((most, one) => Math.max(most, longestText(one, depth + 1)), 0);
}
