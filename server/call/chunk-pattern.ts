import { parseJson } from '../../protocol/text/parse-json.ts';
import { decodeBytes, type ByteString } from './byte-string.ts';

/** A member that only blurs the lengths of chunks (OpenAI API reference, `include_obfuscation`): another string in each. */
const padding = 'obfuscation';
const stringLiteral = /"(?:[^"\\]|\\.)*"/y;

/** What surrounds the strings that differ: one part more than there are strings. */
type Parts = readonly ByteString[];

/**
 * What the chunks of a stream have in common: most differ in nothing but their text, so what one of them says holds for the next, which need not
 * be parsed. That is exact: JSON in which one string is replaced by another has the same value but for that string.
 */
export class ChunkPattern {
  readonly #parts: Parts;
  /** The same of what goes on. */
  readonly #shownParts: Parts;
  readonly #textIndex: number;

  private constructor(parts: Parts, shownParts: Parts, textIndex: number) {
    this.#parts = parts;
    this.#shownParts = shownParts;
    this.#textIndex = textIndex;
  }

  /**
   * The pattern of a chunk that was read.
   * @param event one line of data.
   * @param options.member the name of the member with its only text. @param options.shown what of the event goes on.
   * @returns null where a look does not tell where that stands: a second one of the name, an escaped key, white space.
   */
  static of(event: ByteString, { member, shown }: { member: string; shown: ByteString }): ChunkPattern | null {
    if (event.indexOf('\n') !== event.length - 2) return null;
    const at = (name: string) => event.indexOf(`"${name}"`);
    const names = at(padding) < 0 ? [member] : [member, padding].sort((left, right) => at(left) - at(right));
    const parts = cutAt(event, names);
    const shownParts = shown === event ? parts : cutAt(shown, names);
    return parts && shownParts && new ChunkPattern(parts, shownParts, names.indexOf(member));
  }

  /** The text of a chunk that has the pattern, and what of its event goes on; null of any other. */
  match(event: ByteString): { text: string; shown: ByteString } | null {
    const parts = this.#parts;
    const [head = ''] = parts;
    const tail = parts.at(-1) ?? '';
    const tailAt = event.length - tail.length;
    // Equal slices are found in a fifth of the time that startsWith takes.
    if (event.slice(0, head.length) !== head || event.slice(tailAt) !== tail) return null;
    let shown = this.#shownParts[0] ?? '';
    let text = '';
    let start = head.length;
    for (let index = 1; index < parts.length; index += 1) {
      const part = parts[index] ?? '';
      const end = index === parts.length - 1 ? tailAt : event.indexOf(part, start);
      const literal = event.slice(start, end);
      const value = end < start ? undefined : readLiteral(literal);
      if (value === undefined) return null;
      if (index - 1 === this.#textIndex) text = value;
      shown += literal + (this.#shownParts[index] ?? '');
      start = end + part.length;
    }
    return { text, shown };
  }
}

/** The parts between the strings of members whose names occur once each. */
function cutAt(event: ByteString, names: readonly string[]): Parts | null {
  const parts: ByteString[] = [];
  let from = 0;
  for (const name of names) {
    const key = `"${name}"`;
    const at = event.indexOf(key, from);
    if (at < 0 || event.indexOf(key) !== at || event.includes(key, at + 1) || event[at + key.length] !== ':')
      return null;
    stringLiteral.lastIndex = at + key.length + 1;
    if (!stringLiteral.test(event)) return null;
    parts.push(event.slice(from, at + key.length + 1));
    from = stringLiteral.lastIndex;
  }
  parts.push(event.slice(from));
  // Without escapes a key is written in one way only, and a quotation mark is one.
  return parts.some((part) => part.includes('\\')) ? null : parts;
}

/** The string that is written, and nothing but it. */
function readLiteral(literal: ByteString): string | undefined {
  if (!literal.startsWith('"') || !literal.endsWith('"')) return undefined;
  const value = parseJson(decodeBytes(literal));
  return typeof value === 'string' ? value : undefined;
}
