import { describe, expect, test } from 'vitest';
import { maxSearchedCharacters, readFeatures } from './read-features.ts';

const read = (
  { messages = [], ...value }: { messages?: unknown[]; [member: string]: unknown },
  headers: Record<string, string> = {},
) => readFeatures({ value, prompt: { messages } }, headers);
const lengthOf = (...messages: unknown[]) => read({ messages }).promptCharacters;
const user = (content: unknown) => ({ role: 'user', content });

describe('features of a request', () => {
  test('the text is what the user said last; the length is of all messages', () => {
    const messages = [
      { role: 'system', content: 'abc' },
      user('first'),
      user('last'),
      { role: 'assistant', content: 'x' },
    ];
    expect(read({ messages })).toMatchObject({
      text: 'last',
      promptCharacters: 13,
      tools: false,
      images: false,
      tags: [],
    });
  });

  test('parts count too, and an image is one', () => {
    const content = [
      { type: 'text', text: 'what is' },
      { type: 'image_url', image_url: { url: 'data:' } },
    ];
    expect(read({ messages: [user(content)] })).toMatchObject({ text: 'what is\n', promptCharacters: 7, images: true });
  });

  test('what tools were asked, and what they said, counts too', () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } };
    expect(lengthOf({ role: 'assistant', content: null, tool_calls: [call] })).toBe(8);
    expect(lengthOf({ type: 'function_call', call_id: 'c', name: 'f', arguments: '{"a":1}' })).toBe(8);
    expect(lengthOf({ type: 'function_call_output', call_id: 'c', output: 'x'.repeat(100) })).toBe(100);
    const result = { type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: 'abc' }] };
    expect(lengthOf(user([result, { type: 'tool_use', id: 't', name: 'f', input: { a: 'bc', d: [1, 'e'] } }]))).toBe(7);
  });

  test('what is no text has no length, and tokens have four letters', () => {
    const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'x'.repeat(1_000) } };
    const letter = { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'abc' } };
    expect(lengthOf(user([letter]))).toBe(3);
    const file = { type: 'input_file', file_data: 'x'.repeat(1_000) };
    expect(lengthOf(user([image, file, { type: 'input_audio', input_audio: { data: 'xxx' } }]))).toBe(0);
    expect(readFeatures({ value: {}, prompt: { messages: [], tokens: 25 } }, {}).promptCharacters).toBe(100);
  });

  test('tools in the present and the older form', () => {
    expect(read({ messages: [], tools: [{}] }).tools).toBe(true);
    expect(read({ messages: [], functions: [{}] }).tools).toBe(true);
    expect(read({ messages: [], tools: [] }).tools).toBe(false);
  });

  test('an image may be what a tool answered', () => {
    const result = { type: 'tool_result', tool_use_id: 'a', content: [{ type: 'image', source: {} }] };
    expect(read({ messages: [user([result])] }).images).toBe(true);
    const output = { type: 'function_call_output', call_id: 'a', output: [{ type: 'input_image', image_url: 'u' }] };
    expect(read({ messages: [output] }).images).toBe(true);
    expect(read({ messages: [user([{ type: 'tool_result', content: 'image' }])] }).images).toBe(false);
  });

  test('tags of the relay’s header, of LiteLLM’s, and of the body', () => {
    const headers = { 'x-autopay-tags': 'a, b', 'x-litellm-tags': 'c' };
    expect(read({ messages: [], metadata: { tags: ['d', 7] } }, headers).tags).toEqual(['a', 'b', 'c', 'd']);
    expect(read({ messages: [], tags: ['e'], metadata: { tags: ['f'] } }).tags).toEqual(['e', 'f']);
    expect(read({ messages: [], tags: 'e' }).tags).toEqual([]);
    expect(read({ messages: [] }, { 'x-autopay-tags': Array(50).fill('t').join(',') }).tags).toHaveLength(16);
  });

  test('a long text is searched at its beginning only', () => {
    expect(read({ messages: [user('x'.repeat(100_000))] }).text).toHaveLength(maxSearchedCharacters);
  });

  test('what is no message is passed over', () => {
    expect(read({ messages: ['x'] })).toMatchObject({ text: '', promptCharacters: 0 });
    expect(read({ messages: [null, user(null)] })).toMatchObject({ text: '' });
  });
});
