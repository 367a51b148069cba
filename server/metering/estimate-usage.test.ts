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

test('counts text parts, tool calls and tools, and none of an image’s data', async () => {
  const image = { type: 'image_url', image_url: { url: `data:${'A'.repeat(5000)}` } };
  const messages = [{ role: 'user', content: [{ type: 'text', text: prompt }, image] }];
  const tools = [{ type: 'function', function: { name: 'f' } }];
  const usage = await estimateUsage({ messages, tools, answer: [] });
  const expected = 7 + countTokens(prompt) + 1_024 + countTokens(JSON.stringify(tools));
  expect(usage).toMatchObject({ prompt: expected, completion: 0 });
});

test('takes special tokens for the text that they are', async () => {
  const usage = await estimateUsage({ messages: [{ content: '<|endoftext|>' }], answer: ['<|endoftext|>'] });
  expect(usage.completion).toBeGreaterThan(1);
});

test('slices change the count little, and no slice is long', async () => {
  const text = `${prompt} `.repeat(500);
  const usage = await estimateUsage({ messages: [], answer: [text] });
  expect(Math.abs(usage.completion - countTokens(text))).toBeLessThanOrEqual(countTokens(text) * 0.01);
  let longestMs = 0;
  let last = performance.now();
  const ticking = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - last);
    last = performance.now();
  }, 0);
  await estimateUsage({ messages: [], answer: ['a'.repeat(16_384), '\u5b57'.repeat(16_384)] });
  clearInterval(ticking);
  expect(longestMs).toBeGreaterThan(0);
  expect(longestMs).toBeLessThan(100);
});

test('counts bytes where tokenizing would take too long', async () => {
  const started = performance.now();
  const usage = await estimateUsage({
    messages: [{ content: 'x'.repeat(4_000) }],
    answer: ['\u00e4 '.repeat(1_500_000)],
  });
  expect(performance.now() - started).toBeLessThan(5_000);
  const beyond = (3 * (3_000_000 - 262_144)) / 2 / 4;
  expect(usage.completion).toBeGreaterThan(beyond);
  expect(usage.completion).toBeLessThan(beyond + 262_144);
  expect(usage.prompt).toBe(6 + 1_000);
});

test('lets others work while it counts a long text', async () => {
  let turns = 0;
  const ticking = setInterval(() => (turns += 1), 1);
  const usage = await estimateUsage({ messages: [], answer: [`${prompt} `.repeat(4000), 'a'.repeat(20_000)] });
  clearInterval(ticking);
  expect(turns).toBeGreaterThan(3);
  expect(usage.completion).toBeGreaterThan(30_000);
});

test('what is no text is counted by rule of thumb, whatever its API calls it', async () => {
  const tokensOf = async (...content: object[]) => {
    const { prompt } = await estimateUsage({ messages: [{ content }], answer: [] });
    return prompt - 6;
  };
  const data = 'A'.repeat(65_536);
  const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${data}` } };
  expect(await tokensOf(image, { type: 'input_image', image_url: 'https://x' })).toBe(2 * 1_024);
  expect(await tokensOf({ type: 'image', source: { type: 'base64', data } })).toBe(1_024);
  expect(await tokensOf({ type: 'input_audio', input_audio: { data, format: 'wav' } })).toBe(32);
  expect(await tokensOf({ type: 'document', source: { type: 'base64', data: data.repeat(2) } })).toBe(2_048);
  expect(await tokensOf({ type: 'video_url', video_url: { url: data } })).toBe(64);
  const rough = { url: 'https://x', detail: 'low' };
  expect(await tokensOf({ type: 'image_url', image_url: rough }, { type: 'input_image', ...rough })).toBe(2 * 85);
  expect(await tokensOf({ type: 'input_file', file_url: 'https://x/a.pdf' })).toBe(1_024);
  // Documents that come as text are text, however short; what is encrypted or has no name yet is not billed as if it were one.
  expect(await tokensOf({ type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'a b' } })).toBe(2);
  const parts = [{ type: 'text', text: 'a b' }, image];
  expect(await tokensOf({ type: 'document', source: { type: 'content', content: parts } })).toBe(1_026);
  expect(await tokensOf({ type: 'redacted_thinking', data }, { type: 'tool_reference', tool_name: 'f' })).toBe(1);
  // Results and calls of tools are text, as far as they are none of these.
  expect(await tokensOf({ type: 'tool_result', content: [{ type: 'text', text: 'a b' }, image] })).toBe(1_026);
  expect(await tokensOf({ type: 'tool_result', content: 'a b' })).toBe(2);
  expect(await tokensOf({ type: 'tool_use', name: 'f', input: {} })).toBe(1);
  expect(await tokensOf({ type: 'thinking', thinking: 'a b', signature: 'x'.repeat(999) })).toBe(2);
});
