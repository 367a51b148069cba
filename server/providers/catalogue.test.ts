import { expect, test } from 'vitest';
import { catalogue, findLiteLlmProvider, findProvider, findProviderOfUrl, quirksOf } from './catalogue.ts';

test('has the providers that the project names, each once, under names that do not meet', () => {
  const names = catalogue.flatMap(({ name, aliases }) => [name, ...aliases]);
  expect(new Set(names).size).toBe(names.length);
  const prefixes = catalogue.flatMap(({ litellm }) => litellm);
  expect(new Set(prefixes).size).toBe(prefixes.length);
  for (const name of [
    ...[
      'openai',
      'azure',
      'anyscale',
      'together',
      'groq',
      'fireworks',
      'deepinfra',
      'mistral',
      'deepseek',
      'openrouter',
    ],
    ...['xai', 'perplexity', 'cerebras', 'nvidia', 'huggingface', 'chutes', 'runpod', 'ollama', 'vllm', 'lm-studio'],
    ...['litellm', 'blockrun', 'verathos', 'gemini', 'cohere', 'moonshot', 'zai', 'dashscope', 'sambanova', 'novita'],
  ]) {
    expect(findProvider(name)?.name).toBe(name);
  }
});

test('names only facts that there are as checked', () => {
  const facts = [
    ...['baseUrl', 'baseUrlEnv', 'keyEnv', 'keyPrefix', 'outputLimit', 'streamOptions', 'reasoning', 'errors'],
    ...['endpoints', 'messages'],
  ];
  for (const { name, checked } of catalogue)
    expect({ name, unknown: checked.filter((one) => !facts.includes(one)) }).toEqual({ name, unknown: [] });
});

test('finds a provider by the names of the blueprint, of LiteLLM, and of its host', () => {
  expect(findProvider('firework-ai')?.name).toBe('fireworks');
  expect(findProvider('Together-AI')?.name).toBe('together');
  expect(findProvider('nobody')).toBeUndefined();
  expect(findLiteLlmProvider('together_ai')?.name).toBe('together');
  expect(findLiteLlmProvider('verathos')).toMatchObject({
    keyEnv: 'VERATHOS_API_KEY',
    baseUrlEnv: 'VERATHOS_API_BASE',
  });
  expect(findProviderOfUrl('https://api.verathos.ai/v1')?.name).toBe('verathos');
  // Many things listen there.
  expect(findProviderOfUrl('http://127.0.0.1:8000/v1')).toBeUndefined();
  expect(findProviderOfUrl('http://localhost:11434/v1')).toBeUndefined();
});

test('gives calls what departs from OpenAI’s wire', () => {
  const quirks = (name: string) => {
    const facts = findProvider(name);
    return facts && quirksOf(facts);
  };
  expect(quirks('openai')).toEqual({
    outputLimitParameter: 'max_completion_tokens',
    takesStreamOptions: true,
    reasoningBeside: false,
    errorMember: 'error',
    endpoints: ['/v1/chat/completions', '/v1/responses', '/v1/completions', '/v1/embeddings'],
  });
  expect(quirks('anthropic')).toMatchObject({
    anthropicMessages: true,
    endpoints: ['/v1/messages', '/v1/chat/completions'],
  });
  expect(quirks('mistral')).toMatchObject({
    outputLimitParameter: 'max_tokens',
    takesStreamOptions: false,
    errorMember: 'message',
  });
  expect(quirks('xai')?.reasoningBeside).toBe(true);
  expect(quirks('gemini')).toMatchObject({
    reasoningBeside: true,
    endpoints: ['/v1/chat/completions', '/v1/embeddings'],
  });
});
