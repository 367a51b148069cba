import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, test } from 'vitest';
import { estimateUsage } from './estimate-usage.ts';

const prompt = 'The quick brown fox jumps over the lazy dog.';

test('counts the texts of messages and of the answer', async () => {
  const answer = ['It does so every day.'];
  const usage = await estimateUsage({ messages: [{ role: 'user', content: prompt }], answer });
  expect(usage.prompt).toBe(3 + 3 + countTokens('user') + countTokens(prompt));
  expect(usage.completion).toBe(countTokens(answer[0] ?? ''));
  expect(usage).toMatchObject({ cachedPrompt: 0, reasoning: 0 });
});

test('counts text parts, tool calls and tools, and nothing of images', async () => {
  const image = { type: 'image_url', image_url: { url: `data:${'A'.repeat(5000)}` } };
  const messages = [{ role: 'user', content: [{ type: 'text', text: prompt }, image] }];
  const tools = [{ type: 'function', function: { name: 'f' } }];
  const usage = await estimateUsage({ messages, tools, answer: [] });
  const expected = 7 + countTokens(prompt) + countTokens(JSON.stringify(tools));
  expect(usage).toMatchObject({ prompt: expected, completion: 0 });
});

test('takes special tokens for the text that they are', async () => {
  const usage = await estimateUsage({ messages: [{ content: '<|endoftext|>' }], answer: ['<|endoftext|>'] });
  expect(usage.completion).toBeGreaterThan(1);
});

test('lets others work while it counts a long text', async () => {
  let turns = 0;
  const ticking = setInterval(() => (turns += 1), 1);
  const usage = await estimateUsage({ messages: [], answer: [`${prompt} `.repeat(4000), 'a'.repeat(20_000)] });
  clearInterval(ticking);
  expect(turns).toBeGreaterThan(3);
  expect(usage.completion).toBeGreaterThan(30_000);
});
