import { expect, test } from 'vitest';
import { readUsage } from './read-usage.ts';

const plain = { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 };

test('reads the whole and its parts', () => {
  expect(
    readUsage({
      ...plain,
      prompt_tokens_details: { cached_tokens: 40, audio_tokens: 10, cache_write_tokens: 20 },
      completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 5, accepted_prediction_tokens: 1 },
    }),
  ).toEqual({
    prompt: 100,
    cachedPrompt: 40,
    cacheWrite: 20,
    audioPrompt: 10,
    completion: 50,
    reasoning: 30,
    audioCompletion: 5,
  });
});

test('parts that are not given are none', () => {
  const none = { cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0, reasoning: 0, audioCompletion: 0 };
  expect(readUsage(plain)).toEqual({ prompt: 100, completion: 50, ...none });
  const nulls = { ...plain, prompt_tokens_details: null, completion_tokens_details: { reasoning_tokens: null } };
  expect(readUsage(nulls)).toEqual({ prompt: 100, completion: 50, ...none });
});

test('audio from the cache is billed once', () => {
  const usage = { ...plain, prompt_tokens_details: { cached_tokens: 80, audio_tokens: 60 } };
  expect(readUsage(usage)).toMatchObject({ cachedPrompt: 80, audioPrompt: 20 });
});

test('what cannot be is no usage', () => {
  for (const value of [
    undefined,
    null,
    [],
    'usage',
    {},
    { ...plain, prompt_tokens: -1 },
    { ...plain, completion_tokens: 1.5 },
    { ...plain, prompt_tokens: '100' },
    { ...plain, prompt_tokens: 2 ** 60 },
    { ...plain, prompt_tokens_details: { cached_tokens: 101 } },
    { ...plain, prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 41 } },
    { ...plain, prompt_tokens_details: { audio_tokens: 101 } },
    { ...plain, prompt_tokens_details: 5 },
    { ...plain, completion_tokens_details: { reasoning_tokens: 51 } },
    { ...plain, completion_tokens_details: { audio_tokens: -1 } },
  ]) {
    expect(readUsage(value), JSON.stringify(value)).toBeNull();
  }
});

test('reasoning that a provider counts beside is added, unless its total says that it is inside', () => {
  const parts = { completion_tokens_details: { reasoning_tokens: 200 } };
  const beside = { ...plain, total_tokens: 350, ...parts };
  expect(readUsage(beside, { reasoningBeside: true })).toMatchObject({ completion: 250, reasoning: 200 });
  // Taken for OpenAI's, such numbers cannot be.
  expect(readUsage(beside)).toBeNull();
  const inside = { ...plain, completion_tokens: 250, total_tokens: 350, ...parts };
  expect(readUsage(inside, { reasoningBeside: true })).toMatchObject({ completion: 250, reasoning: 200 });
  expect(readUsage(plain, { reasoningBeside: true })).toMatchObject({ completion: 50, reasoning: 0 });
});
