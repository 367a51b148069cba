import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, test } from 'vitest';
import { createSeededRandom } from './seeded-random.ts';
import { joinText } from './build-choice.ts';
import { sumTokens } from './split-tokens.ts';
import { pickLength, writeText } from './write-text.ts';

test('text of N tokens has N tokens when counted again', () => {
  for (let tokens = 0; tokens <= 300; tokens += 1) {
    const pieces = writeText(createSeededRandom(`seed ${tokens}`), tokens);
    expect(sumTokens(pieces)).toBe(tokens);
    expect(encode(joinText(pieces))).toHaveLength(tokens);
  }
});

test('text says that it is simulated, and depends on the seed alone', () => {
  const write = (seed: string) => joinText(writeText(createSeededRandom(seed), 30));
  expect(write('a')).toMatch(/^\[simulated\] \S/);
  expect(write('a')).toBe(write('a'));
  expect(write('a')).not.toBe(write('b'));
});

test('a length is picked from 16 to 47', () => {
  const lengths = Array.from({ length: 500 }, (_, seed) => pickLength(createSeededRandom(String(seed))));
  expect([Math.min(...lengths), Math.max(...lengths)]).toEqual([16, 47]);
});
