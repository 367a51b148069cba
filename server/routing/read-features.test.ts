import { describe, expect, test } from 'vitest';
import { maxSearchedCharacters, readFeatures } from './read-features.ts';

const read = (
  { messages = [], ...value }: { messages?: unknown[]; [member: string]: unknown },
  headers: Record<string, string> = {},
) => readFeatures({ value, prompt: { messages } }, headers);
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

  test('tools in the present and the older form', () => {
    expect(read({ messages: [], tools: [{}] }).tools).toBe(true);
    expect(read({ messages: [], functions: [{}] }).tools).toBe(true);
    expect(read({ messages: [], tools: [] }).tools).toBe(false);
  });

  test('tags of the relay’s header, of LiteLLM’s, and of the body', () => {
    const headers = { 'x-autopay-tags': 'a, b', 'x-litellm-tags': 'c' };
    expect(read({ messages: [], metadata: { tags: ['d', 7] } }, headers).tags).toEqual(['a', 'b', 'c', 'd']);
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
