import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, test } from 'vitest';
import { countTokens, splitTokens, sumTokens } from './split-tokens.ts';

const TEXTS = ['', 'Hello world', 'café 東京 🦜🦜 письмо', '\uFEFFbom', 'tabs\t\tand\n\nlines  ', '{"a":[1,2,3]}'];

test.each(TEXTS)('pieces of %j join to the text and count as the tokenizer counts', (text) => {
  const pieces = splitTokens(text);
  expect(pieces.map((piece) => piece.text).join('')).toBe(text);
  expect(sumTokens(pieces)).toBe(encode(text).length);
  expect(countTokens(text)).toBe(encode(text).length);
});

test('known counts of o200k_base', () => {
  expect(countTokens('hello world')).toBe(2);
  expect(countTokens('🦜')).toBe(3);
});

test('a character that spans tokens is one piece', () => {
  expect(splitTokens('a 🦜')).toEqual([
    { text: 'a', tokens: 1 },
    { text: ' ', tokens: 1 },
    { text: '🦜', tokens: 2 },
  ]);
});

test('a limit inside a character leaves the character out and counts its tokens', () => {
  expect(splitTokens('a 🦜', 3)).toEqual([
    { text: 'a', tokens: 1 },
    { text: ' ', tokens: 1 },
    { text: '', tokens: 1 },
  ]);
  // Nothing of it is left over for the next text.
  expect(splitTokens('b')).toEqual([{ text: 'b', tokens: 1 }]);
});

test('control tokens are text', () => {
  expect(countTokens('<|endoftext|>')).toBeGreaterThan(1);
  expect(sumTokens(splitTokens('<|endoftext|>'))).toBe(countTokens('<|endoftext|>'));
});

test('a long run without a break is counted in linear time, and nearly exactly', () => {
  const startedMs = performance.now();
  const counted = countTokens('x'.repeat(200_000));
  // 20 s without the split.
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  const perThousand = encode('x'.repeat(1_000)).length;
  expect(counted).toBe(perThousand * 200);
  const mixed = `${'word '.repeat(50)}${'y'.repeat(1_500)} end`;
  expect(Math.abs(countTokens(mixed) - encode(mixed).length)).toBeLessThanOrEqual(2);
});
