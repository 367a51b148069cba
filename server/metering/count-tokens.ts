import type * as GptEncoding from 'gpt-tokenizer/encoding/o200k_base';

/** The encodings of OpenAI's models that are counted here. */
export type Encoding = 'o200k_base' | 'cl100k_base';

type CountTokens = (text: string) => number;

/**
 * Longer texts are counted in slices, with a pause after each: tokenizing must not stop the other calls, and a run of
 * characters without a break takes time that grows with the square of its length.
 */
const sliceCharacters = 256;
/** After a longer text there is a pause too, so that many of them are no stop either. */
const pauseCharacters = 64;

const loading = new Map<Encoding, Promise<CountTokens>>();

/** The vocabulary takes tens of megabytes: it is loaded by the first call that needs it. */
function loadTokenizer(encoding: Encoding): Promise<CountTokens> {
  const known = loading.get(encoding);
  if (known) return known;
  const loaded = load(encoding).then(({ countTokens }): CountTokens => {
    // Text that looks like a special token is plain text here.
    return (text) => countTokens(text, { disallowedSpecial: new Set() });
  });
  loading.set(encoding, loaded);
  return loaded;
}

function load(encoding: Encoding): Promise<Pick<typeof GptEncoding, 'countTokens'>> {
  return encoding === 'o200k_base'
    ? import('gpt-tokenizer/encoding/o200k_base')
    : import('gpt-tokenizer/encoding/cl100k_base');
}

/** Counts the tokens of texts, so many characters of them at most. */
export class TokenCounter {
  readonly #count: CountTokens;
  #left: number;

  private constructor(count: CountTokens, maxCharacters: number) {
    this.#count = count;
    this.#left = maxCharacters;
  }

  static async open(encoding: Encoding, maxCharacters: number): Promise<TokenCounter> {
    return new TokenCounter(await loadTokenizer(encoding), maxCharacters);
  }

  /**
   * The tokens of a text. Cutting it into slices changes the number by less than a hundredth.
   * @param bytesPerToken by which the rest is counted where the characters are used up
   */
  async count(text: string, bytesPerToken: number): Promise<number> {
    let tokens = 0;
    let at = 0;
    while (at < text.length && this.#left > 0) {
      const end = endOfSlice(text, at, Math.min(sliceCharacters, this.#left));
      tokens += this.#count(text.slice(at, end));
      this.#left -= end - at;
      if (end - at > pauseCharacters || end < text.length) await new Promise((resolve) => setImmediate(resolve));
      at = end;
    }
    return tokens + Math.ceil(Buffer.byteLength(text.slice(at), 'utf8') / bytesPerToken);
  }
}

/** Where a slice ends: before a space if one is near, since a token seldom reaches over it. */
function endOfSlice(text: string, start: number, most: number): number {
  const end = start + most;
  if (end >= text.length) return text.length;
  const space = text.lastIndexOf(' ', end);
  return space > start + most / 2 ? space : end;
}
