import { expect, test } from 'vitest';
import { readCount, readUsage } from './read-usage.ts';

const plain = { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 };
const none = { cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0, reasoning: 0, audioCompletion: 0 };

test('reads the whole and its parts', () => {
  expect(
    readUsage({
      ...plain,
      prompt_tokens_details: { cached_tokens: 40, audio_tokens: 10, cache_write_tokens: 20 },
      completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 5, rejected_prediction_tokens: 1 },
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
  expect(readUsage(plain)).toEqual({ prompt: 100, completion: 50, ...none });
  const lists = { ...plain, prompt_tokens_details: [], completion_tokens_details: [] };
  expect(readUsage(lists)).toEqual({ prompt: 100, completion: 50, ...none });
  const nulls = { ...plain, prompt_tokens_details: null, completion_tokens_details: { reasoning_tokens: null } };
  expect(readUsage(nulls)).toEqual({ prompt: 100, completion: 50, ...none });
});

test('reads what was cached under the names that providers give it', () => {
  const deepSeek = { ...plain, prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36 };
  expect(readUsage(deepSeek)).toMatchObject({ cachedPrompt: 64, cacheWrite: 0 });
  expect(readUsage({ ...plain, cached_tokens: 7 })).toMatchObject({ cachedPrompt: 7 });
  const liteLlm = { ...plain, cache_read_input_tokens: 30, cache_creation_input_tokens: 20 };
  expect(readUsage(liteLlm)).toMatchObject({ cachedPrompt: 30, cacheWrite: 20 });
  // Told twice, it is counted once.
  const twice = { ...liteLlm, prompt_tokens_details: { cached_tokens: 30, cache_creation_tokens: 20 } };
  expect(readUsage(twice)).toMatchObject({ cachedPrompt: 30, cacheWrite: 20 });
});

test('what is missing is no usage', () => {
  for (const value of [undefined, null, [], 'usage', {}, { prompt_tokens: 3 }, { ...plain, completion_tokens: null }]) {
    expect(readUsage(value), JSON.stringify(value)).toBeNull();
  }
});

test('tokens of images are part of the prompt, whatever they are told as', () => {
  const details = { image_tokens: 85, text_tokens: 15 };
  expect(readUsage({ ...plain, prompt_tokens_details: details })).toEqual({ prompt: 100, completion: 50, ...none });
});

test('a number that is no count is told as that', () => {
  for (const value of [-1, 1.5, '100', 2 ** 60, Infinity, true, {}]) expect(readCount(value)).toBeNaN();
  expect([readCount(0), readCount(7), readCount(null), readCount(undefined)]).toEqual([0, 7, 0, 0]);
  expect(readUsage({ ...plain, prompt_tokens: -1 })).toEqual({ prompt: NaN, completion: 50, ...none });
  expect(readUsage({ ...plain, prompt_tokens_details: { cached_tokens: 1.5 } })?.cachedPrompt).toBeNaN();
  expect(readUsage({ ...plain, completion_tokens_details: 5 })?.reasoning).toBeNaN();
  expect(readUsage({ ...plain, prompt_tokens_details: [5] })).not.toBeNull();
});

test('reasoning that a provider counts beside is added, unless its total says that it is inside', () => {
  const parts = { completion_tokens_details: { reasoning_tokens: 200 } };
  const beside = { ...plain, total_tokens: 350, ...parts };
  expect(readUsage(beside, { reasoningBeside: true })).toMatchObject({ completion: 250, reasoning: 200 });
  const inside = { ...plain, completion_tokens: 250, total_tokens: 350, ...parts };
  expect(readUsage(inside, { reasoningBeside: true })).toMatchObject({ completion: 250, reasoning: 200 });
  expect(readUsage(plain, { reasoningBeside: true })).toMatchObject({ completion: 50, reasoning: 0 });
});

test('a zero in the details does not hide what is told beside them', () => {
  const counts = { prompt_tokens: 30, completion_tokens: 5 };
  const beside = { cache_read_input_tokens: 20, cache_creation_input_tokens: 7 };
  const details = { cached_tokens: 0, cache_write_tokens: 0 };
  expect(readUsage({ ...counts, ...beside, prompt_tokens_details: details })).toMatchObject({
    cachedPrompt: 20,
    cacheWrite: 7,
  });
  expect(
    readUsage({ ...counts, cached_tokens: 9, prompt_tokens_details: { cached_tokens: -1 } })?.cachedPrompt,
  ).toBeNaN();
});

test('the total tells where reasoning is counted, whatever is known of the provider', () => {
  const parts = { completion_tokens_details: { reasoning_tokens: 200 } };
  const beside = { ...plain, total_tokens: 350, ...parts };
  expect(readUsage(beside)).toMatchObject({ completion: 250, reasoning: 200 });
  expect(readUsage({ ...beside, completion_tokens: 0, total_tokens: 300 })).toMatchObject({ completion: 200 });
  // Without a total, or with one that fits neither, what is known of the provider holds.
  for (const total of [undefined, null, 351, -1, '350']) {
    expect(readUsage({ ...beside, total_tokens: total })).toMatchObject({ completion: 50, reasoning: 200 });
    expect(readUsage({ ...beside, total_tokens: total }, { reasoningBeside: true })).toMatchObject({ completion: 250 });
  }
});

test('reasoning that only the total tells is counted where a provider is known to count it beside', () => {
  const gemini = { prompt_tokens: 20, completion_tokens: 151, total_tokens: 553 };
  expect(readUsage(gemini, { reasoningBeside: true })).toMatchObject({ completion: 533, reasoning: 382 });
  expect(readUsage(gemini)).toMatchObject({ completion: 151, reasoning: 0 });
  expect(readUsage({ ...gemini, total_tokens: 10 }, { reasoningBeside: true })).toMatchObject({ completion: 151 });
  expect(readUsage({ ...gemini, completion_tokens: -1 }, { reasoningBeside: true })?.completion).toBeNaN();
});
