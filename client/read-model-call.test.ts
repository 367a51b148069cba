import { describe, expect, it } from 'vitest';
import { readModelCall, shortRequest } from './read-model-call.ts';

const relay = 'https://relay.example/v1';

function read(path: string, body: object) {
  return readModelCall(relay + path, Buffer.from(JSON.stringify({ model: 'm', ...body })));
}

describe('what bounds a call', () => {
  it.each<[string, object, object]>([
    ['/chat/completions', { messages: [{ role: 'user', content: 'a' }], n: 2 }, { choices: 2, hasOnlyText: true }],
    ['/responses', { input: 'a', max_output_tokens: 9 }, { outputLimit: 9, hasOnlyText: true }],
    ['/responses', { input: 'a' }, { outputLimit: undefined }],
    ['/responses', { input: [{ role: 'user', content: [{ type: 'input_image' }] }] }, { hasOnlyText: false }],
    ['/responses', { input: [{ type: 'function_call_output', output: 'a' }] }, { hasOnlyText: true }],
    ['/responses', { input: [{ type: 'reasoning', id: 'rs' }] }, { hasOnlyText: false }],
    ['/completions', { prompt: 'a' }, { outputLimit: 16, choices: 1, inputs: 1 }],
    ['/completions', { prompt: ['a', 'b'], n: 3, max_tokens: 5 }, { outputLimit: 5, choices: 6, inputs: 2 }],
    ['/embeddings', { input: [[1, 2], [3]] }, { outputLimit: 0, inputs: 2 }],
    ['/embeddings', { input: [1, 2, 3] }, { outputLimit: 0, inputs: 1 }],
    ['/messages', { messages: [{ role: 'user', content: 'a' }], max_tokens: 7 }, { outputLimit: 7, hasOnlyText: true }],
    ['/messages', { messages: [{ role: 'user', content: [{ type: 'image' }] }] }, { hasOnlyText: false }],
    [
      '/messages',
      { messages: [{ role: 'user', content: [{ type: 'tool_result', content: 'a' }] }] },
      { hasOnlyText: true },
    ],
  ])('%s %j', (path, body, expected) => {
    expect(read(path, body)).toMatchObject({ model: 'm', ...expected });
  });

  it('has Anthropic’s own prompt for tools in it', () => {
    const body = { messages: [{ role: 'user', content: 'a' }], tools: [{ name: 'f' }] };
    expect(read('/messages', body)?.bodyBytes).toBe(Buffer.byteLength(JSON.stringify({ model: 'm', ...body })) + 1_024);
  });
});

it('what no relay would take is none', () => {
  expect(readModelCall(`${relay}/responses`, Buffer.from('{'))).toBeUndefined();
  expect(read('/responses', { model: 7, input: 'a' })).toBeUndefined();
  expect(read('/responses', { input: 'a', max_output_tokens: -1 })).toBeUndefined();
  expect(read('/messages', { input: 'a' })).toBeUndefined();
  for (const n of [0, -3, 1.5, 129, 1e300, '2'])
    expect(read('/completions', { prompt: 'a', n }), String(n)).toBeUndefined();
  expect(read('/completions', { prompt: 'a', n: null })).toMatchObject({ choices: 1 });
  expect(read('/images/generations', { prompt: 'a' })).toBeUndefined();
});

it('a short request is a call of the same endpoint', () => {
  for (const path of ['/chat/completions', '/responses', '/completions', '/embeddings', '/messages']) {
    expect(readModelCall(relay + path, shortRequest(relay + path, 'm')), path).toMatchObject({ model: 'm' });
  }
});
