import { invalid } from '../read-request.ts';
import type { RequestPrompt } from './endpoint.ts';

/** OpenAI's bound of the inputs of one request. */
const maxInputs = 2_048;

/**
 * Reads what OpenAI's completions and embeddings take: a text, several, the tokens of one, or those of several. A token takes two
 * bytes at least, so the body's bytes bound the tokens of each form.
 * @throws AutoPayError `invalid_request`.
 */
export function readTextInputs(value: unknown, param: string): { inputs: number; prompt: RequestPrompt } {
  if (typeof value === 'string') return { inputs: 1, prompt: promptOf([value]) };
  if (isTokens(value)) return { inputs: 1, prompt: { messages: [], tokens: value.length } };
  if (Array.isArray(value) && value.length > 0 && value.length <= maxInputs) {
    if (value.every((text) => typeof text === 'string')) return { inputs: value.length, prompt: promptOf(value) };
    if (value.every(isTokens)) {
      const tokens = value.reduce((sum, one) => sum + one.length, 0);
      return { inputs: value.length, prompt: { messages: [], tokens } };
    }
  }
  throw invalid(param, `a text, a list of at most ${maxInputs} texts, a list of tokens, or a list of such lists`);
}

function promptOf(texts: readonly string[]): RequestPrompt {
  return { messages: texts.map((content) => ({ role: 'user', content })) };
}

function isTokens(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((token) => Number.isSafeInteger(token) && token >= 0);
}
