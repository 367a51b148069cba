/** Scripts that are told apart, by Unicode's property of that name. */
export const scriptNames = [
  'arabic',
  'cyrillic',
  'devanagari',
  'greek',
  'han',
  'hangul',
  'hebrew',
  'kana',
  'latin',
  'thai',
] as const;

/** One of them. */
export type ScriptName = (typeof scriptNames)[number];

const patterns: Record<ScriptName, RegExp> = {
  arabic: /\p{Script=Arabic}/gu,
  cyrillic: /\p{Script=Cyrillic}/gu,
  devanagari: /\p{Script=Devanagari}/gu,
  greek: /\p{Script=Greek}/gu,
  han: /\p{Script=Han}/gu,
  hangul: /\p{Script=Hangul}/gu,
  hebrew: /\p{Script=Hebrew}/gu,
  kana: /[\p{Script=Hiragana}\p{Script=Katakana}]/gu,
  latin: /\p{Script=Latin}/gu,
  thai: /\p{Script=Thai}/gu,
};

/** Enough to tell. */
const lookedAtCharacters = 2_048;

/**
 * The script that most letters of a text are of; null if it has none. Japanese mixes Han with kana, and nothing else does: some kana
 * make a text one of kana.
 */
export function detectScript(text: string): ScriptName | null {
  const start = text.slice(0, lookedAtCharacters);
  const counts = scriptNames.map((name) => ({ name, count: start.match(patterns[name])?.length ?? 0 }));
  const countOf = (name: ScriptName) => counts.find((entry) => entry.name === name)?.count ?? 0;
  const best = counts.reduce((most, entry) => (entry.count > most.count ? entry : most));
  if (best.count === 0) return null;
  return best.name === 'han' && countOf('kana') * 10 >= best.count ? 'kana' : best.name;
}
