import { TokenCounter, type Encoding } from './count-tokens.ts';

/** What is longer keeps its byte bound: counting it would take too long before anybody has paid. */
const maxCountedBytes = 65_536;

/** The names of OpenAI's models by their encoding (openai/tiktoken, `tiktoken/model.py`), whatever stands before a slash. */
const families: readonly (readonly [RegExp, Encoding])[] = [
  [/^(?:chatgpt-4o|gpt-4o|gpt-4\.[15]|gpt-5|gpt-oss|o[134])(?![a-z\d])/, 'o200k_base'],
  [/^(?:gpt-4|gpt-3\.5|text-embedding-3|text-embedding-ada)(?![a-z\d])/, 'cl100k_base'],
];

/** The encoding of a model, by the name that its provider has for it; null where it is not known. */
export function encodingOf(model: string): Encoding | null {
  const name = model.slice(model.lastIndexOf('/') + 1).toLowerCase();
  return families.find(([family]) => family.test(name))?.[1] ?? null;
}

/**
 * Counts a request's body as a text: JSON with its names, marks and escapes is longer than the template that replaces it. With the
 * overhead of a quote it bounds the prompt as the body's bytes do, but three to four times lower.
 * @returns null where the encoding of a model is not known, or the body is too long
 */
export async function countBody(body: Buffer, models: readonly string[]): Promise<number | null> {
  if (body.length > maxCountedBytes || models.length === 0) return null;
  const encodings = new Set(models.map(encodingOf));
  const text = body.toString('utf8');
  let most = 0;
  for (const encoding of encodings) {
    if (encoding === null) return null;
    const counter = await TokenCounter.open(encoding, text.length);
    most = Math.max(most, await counter.count(text, 1));
  }
  return most;
}
