import type { SeededRandom } from './seeded-random.ts';
import type { Piece } from './split-tokens.ts';
import { splitTokens } from './split-tokens.ts';

/** Every text answer begins with this. */
export const TEXT_PREFIX = '[simulated]';

// Each is at least one token of its own after a space. Some leave ASCII, so that readers meet split UTF-8.
const WORDS = (
  'the relay counts each token once and signs what it took a wallet pays for one call at this price while every ' +
  'receipt keeps its place in that log an anchor holds until tomorrow café naïve über señor 東京 🦜 письмо'
).split(' ');

const PREFIX_TOKENS = splitTokens(TEXT_PREFIX).length;

/** Text of exactly `tokens` o200k_base tokens, also when counted again, that depends on the random source alone. */
export function writeText(random: SeededRandom, tokens: number): Piece[] {
  let text = TEXT_PREFIX;
  // Every word is one token at least, so this is never short.
  for (let count = PREFIX_TOKENS; count < tokens; count += 1) text += ` ${WORDS[random.below(WORDS.length)]}`;
  const pieces = splitTokens(text, tokens);
  // Where the end falls inside a character, whole words take the place of its tokens.
  for (let missing = dropHalfCharacter(pieces); missing > 0; missing -= 1) pieces.push({ text: ' the', tokens: 1 });
  return pieces;
}

function dropHalfCharacter(pieces: Piece[]): number {
  return pieces.at(-1)?.text === '' ? pieces.pop()!.tokens : 0;
}

/** How long an answer is that nobody set a length for: 16 to 47 tokens. */
export function pickLength(random: SeededRandom): number {
  return 16 + random.below(32);
}
