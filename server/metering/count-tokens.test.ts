import { countTokens as countOld } from 'gpt-tokenizer/encoding/cl100k_base';
import { countTokens as countNew } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, test } from 'vitest';
import { TokenCounter } from './count-tokens.ts';

const text = 'Zażółć gęślą jaźń – 素早い茶色の狐.';

test('counts by the encoding that is asked for', async () => {
  const [newer, older] = await Promise.all([
    TokenCounter.open('o200k_base', 100),
    TokenCounter.open('cl100k_base', 100),
  ]);
  expect(await newer.count(text, 1)).toBe(countNew(text));
  expect(await older.count(text, 1)).toBe(countOld(text));
  expect(countOld(text)).toBeGreaterThan(countNew(text));
});

test('counts the rest by its bytes once its characters are used up, over all texts', async () => {
  const counter = await TokenCounter.open('o200k_base', text.length + 4);
  expect(await counter.count(text, 1)).toBe(countNew(text));
  expect(await counter.count('word and äöü', 1)).toBe(countNew('word') + Buffer.byteLength(' and äöü'));
  expect(await counter.count('nine char', 4)).toBe(3);
});

test('takes special tokens for the text that they are', async () => {
  const counter = await TokenCounter.open('o200k_base', 100);
  expect(await counter.count('<|endoftext|>', 1)).toBeGreaterThan(1);
});
