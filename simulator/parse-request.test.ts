import { expect, test } from 'vitest';
import { parseRequest } from './parse-request.ts';

const MESSAGES = [{ role: 'user', content: 'hi' }];
const TOOLS = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];
const parse = (fields: object) =>
  parseRequest(Buffer.from(JSON.stringify({ model: 'sim-small', messages: MESSAGES, ...fields })));

test('fills in what a minimal request leaves out', () => {
  expect(parse({})).toEqual({
    model: 'sim-small',
    messages: MESSAGES,
    stream: false,
    includeUsage: false,
    n: 1,
    maxTokens: null,
    stop: [],
    seed: null,
    tools: [],
    toolChoice: 'auto',
    format: { type: 'text' },
    includeProof: false,
  });
});

test('reads what it acts on, and null means absent', () => {
  const full = parse({
    stream: true,
    stream_options: { include_usage: true },
    n: 2,
    max_completion_tokens: 9,
    max_tokens: null,
    stop: 'x',
    seed: 3,
    tools: TOOLS,
    tool_choice: { type: 'function', function: { name: 'f' } },
    response_format: { type: 'json_schema', json_schema: { name: 's', schema: { type: 'string' } } },
  });
  expect(full).toMatchObject({
    stream: true,
    includeUsage: true,
    n: 2,
    maxTokens: 9,
    stop: ['x'],
    seed: 3,
    tools: [{ name: 'f', parameters: { type: 'object' } }],
    toolChoice: { name: 'f' },
    format: { type: 'json_schema', schema: { type: 'string' } },
  });
});

test.each([['{"model":'], ['[]'], ['null'], ['']])('refuses the body %s', (body) => {
  expect(() => parseRequest(Buffer.from(body))).toThrow(
    expect.objectContaining({ status: 400, type: 'invalid_request_error', code: null, param: null }),
  );
});

test.each<[string, object, string, string | null]>([
  ['no model', { model: undefined }, 'model', 'missing_required_parameter'],
  ['a numeric model', { model: 4 }, 'model', 'invalid_type'],
  ['no messages', { messages: undefined }, 'messages', 'missing_required_parameter'],
  ['messages as text', { messages: 'hi' }, 'messages', 'invalid_type'],
  ['empty messages', { messages: [] }, 'messages', 'empty_array'],
  ['a message as text', { messages: ['hi'] }, 'messages[0]', 'invalid_type'],
  ['an unknown role', { messages: [...MESSAGES, { role: 'god', content: '' }] }, 'messages[1].role', 'invalid_value'],
  ['no content', { messages: [{ role: 'user' }] }, 'messages[0].content', 'invalid_type'],
  [
    'an unknown part',
    { messages: [{ role: 'user', content: [{ type: 'input_audio' }] }] },
    'messages[0].content[0]',
    'invalid_value',
  ],
  ['stream as text', { stream: 'yes' }, 'stream', 'invalid_type'],
  ['stream_options alone', { stream_options: { include_usage: true } }, 'stream_options', null],
  ['n = 0', { n: 0 }, 'n', 'integer_below_min_value'],
  ['n = 129', { n: 129 }, 'n', 'integer_above_max_value'],
  ['max_tokens = 0', { max_tokens: 0 }, 'max_tokens', 'integer_below_min_value'],
  ['max_tokens = 1.5', { max_tokens: 1.5 }, 'max_tokens', 'invalid_type'],
  ['both limits', { max_tokens: 1, max_completion_tokens: 1 }, 'max_tokens', 'invalid_parameter_combination'],
  ['five stops', { stop: ['1', '2', '3', '4', '5'] }, 'stop', 'array_above_max_length'],
  ['a numeric stop', { stop: [1] }, 'stop', 'invalid_type'],
  ['a tool without a name', { tools: [{ type: 'function', function: {} }] }, 'tools[0]', 'invalid_value'],
  ['tool_choice without tools', { tool_choice: 'required' }, 'tool_choice', null],
  [
    'tool_choice of a stranger',
    { tools: TOOLS, tool_choice: { type: 'function', function: { name: 'g' } } },
    'tool_choice',
    null,
  ],
  ['an unknown format', { response_format: { type: 'xml' } }, 'response_format.type', 'invalid_value'],
])('refuses %s', (_, fields, param, code) => {
  expect(() => parse(fields)).toThrow(expect.objectContaining({ status: 400, param, code }));
});

test('an assistant message may have tool calls instead of content', () => {
  expect(parse({ messages: [{ role: 'assistant', content: null, tool_calls: [] }] }).messages).toHaveLength(1);
});
