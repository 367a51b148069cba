/** Random numbers that a seed repeats: what a fuzz test finds can be found again. */
export interface Random {
  /** A whole number from 0 to `bound` − 1. */
  below(bound: number): number;
  /** One of the items. */
  pick<T>(items: readonly [T, ...T[]]): T;
}

/** Makes random numbers (mulberry32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number) => Math.floor(next() * bound);
  return { below, pick: (items) => items[below(items.length)] ?? items[0] };
}

/** Texts that decoders have stumbled over. */
const awkwardTexts = [
  '',
  ' ',
  '"',
  '\\',
  '=',
  ',',
  '\0',
  '\n',
  '\u2028',
  '\ud800',
  'ü',
  '-1',
  '00',
  '0x',
  '0X1',
  '1e400',
  '{',
  '[[[[',
  'null',
  '__proto__',
  '%00',
] as const;

/** Values that a schema must not take for others. */
const awkwardValues = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  '',
  '0',
  '-1',
  '01',
  '1e3',
  ' 1',
  '0x',
  `0x${'0'.repeat(40)}`,
  `0x${'f'.repeat(64)}`,
  `0x${'F'.repeat(130)}`,
  `0x${'1'.repeat(131)}`,
  String(2n ** 128n - 1n),
  String(2n ** 128n),
  String(2n ** 256n),
  '9'.repeat(5_000),
  'x'.repeat(5_000),
  [],
  {},
  [null],
  { toString: 1 },
] as const;

/** One to four small damages of a text: what a bad copy, a bad client or an attacker does to it. */
export function mutateText(text: string, random: Random): string {
  let result = text;
  for (let times = 1 + random.below(4); times > 0; times -= 1) result = damage(result, random);
  return result;
}

function damage(text: string, random: Random): string {
  const from = random.below(text.length + 1);
  const to = from + random.below(Math.min(64, text.length - from) + 1);
  const insert = (middle: string) => text.slice(0, from) + middle + text.slice(from);
  switch (random.below(8)) {
    case 0:
      return text.slice(0, from) + String.fromCharCode(random.below(0x180)) + text.slice(from + 1);
    case 1:
      return text.slice(0, from) + text.slice(to);
    case 2:
      return insert(text.slice(from, to));
    case 3:
      return insert(random.pick(awkwardTexts));
    case 4:
      return text.slice(0, from);
    case 5:
      return insert(String.fromCharCode(32 + random.below(95)).repeat(1 + random.below(300)));
    case 6:
      return text.slice(0, from) + swapCase(text.slice(from, to)) + text.slice(to);
    default:
      return text.slice(from) + text.slice(0, from);
  }
}

function swapCase(text: string): string {
  return text.replaceAll(/[a-zA-Z]/g, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );
}

/** A copy of a JSON value with one member damaged, left out, added or put elsewhere, at any depth. */
export function mutateJson(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random.below(6) === 0) return mutateValue(value, random);
  if (Array.isArray(value)) {
    const copy: unknown[] = [...(value as unknown[])];
    const at = random.below(copy.length + 1);
    copy[at] = mutateJson(copy[at] ?? null, random);
    return copy;
  }
  const entries = Object.entries(value);
  const at = random.below(entries.length);
  const [name = 'x', member] = entries[at] ?? [];
  switch (random.below(8)) {
    case 0:
      return Object.fromEntries(entries.filter((_, index) => index !== at));
    case 1:
      return { ...value, [mutateText(name, random)]: member };
    case 2:
      // A member of this name in JSON text is one like any other.
      return JSON.parse(`{"__proto__":{"x":1},${JSON.stringify(value).slice(1)}`.replace(/,\}$/, '}')) as unknown;
    default:
      return { ...value, [name]: mutateJson(member, random) };
  }
}

function mutateValue(value: unknown, random: Random): unknown {
  if (typeof value === 'string' && /^(?:0x)?[0-9a-f]+$/.test(value) && random.below(2) === 0) {
    return changeDigit(value, random);
  }
  if (typeof value === 'string' && random.below(3) > 0) return mutateText(value, random);
  return random.pick(awkwardValues);
}

/** Another number of the same form: it gets further than what is no number any more. */
function changeDigit(number: string, random: Random): string {
  const at = number.startsWith('0x') ? 2 + random.below(number.length - 2) : random.below(number.length);
  return `${number.slice(0, at)}${1 + random.below(9)}${number.slice(at + 1)}`;
}
