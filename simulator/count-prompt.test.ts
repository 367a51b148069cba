import { encode, encodeChat } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, test } from 'vitest';
import { countPrompt } from './count-prompt.ts';
import { parseRequest } from './parse-request.ts';

const count = (fields: object) => countPrompt(parseRequest(Buffer.from(JSON.stringify({ model: 'sim-a', ...fields }))));
const user = (content: unknown) => ({ messages: [{ role: 'user', content }] });
const EMPTY = 3 + 3 + 1;

test('frames each message by three tokens and its role, and primes the answer with three', () => {
  expect(count(user(''))).toBe(EMPTY);
  expect(count(user('hello world'))).toBe(EMPTY + 2);
  expect(count({ messages: [{ role: 'system', content: 'hello' }, ...user('world').messages] })).toBe(3 + 5 + 5);
});

test('agrees with the chat template as the tokenizer writes it out', () => {
  const messages = [
    { role: 'system' as const, content: 'Answer in one line.' },
    { role: 'user' as const, content: 'What does 東京 mean? 🦜' },
    { role: 'assistant' as const, content: 'Eastern capital.' },
  ];
  expect(count({ messages })).toBe(encodeChat(messages, 'gpt-4o').length);
});

test('a name costs its tokens and one more', () => {
  expect(count({ messages: [{ role: 'user', content: '', name: 'hello' }] })).toBe(EMPTY + 2);
});

test('content parts: text by its tokens, images by their detail', () => {
  const image = (detail?: string) => ({ type: 'image_url', image_url: { url: 'https://a.example/b.png', detail } });
  expect(count(user([{ type: 'text', text: 'hello world' }]))).toBe(EMPTY + 2);
  expect(count(user([image('low')]))).toBe(EMPTY + 85);
  expect(count(user([image()]))).toBe(EMPTY + 765);
});

test('tools, schemas and earlier tool calls count', () => {
  const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];
  expect(count({ ...user(''), tools })).toBe(
    EMPTY + 12 + encode(JSON.stringify([{ name: 'f', parameters: { type: 'object' } }])).length,
  );
  const schema = { type: 'string' };
  const format = { type: 'json_schema', json_schema: { name: 's', schema } };
  expect(count({ ...user(''), response_format: format })).toBe(EMPTY + encode(JSON.stringify(schema)).length);
  const call = { name: 'f', arguments: '{"a":1}' };
  const messages = [{ role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: call }] }];
  expect(count({ messages })).toBe(EMPTY + encode(JSON.stringify(call)).length);
});
