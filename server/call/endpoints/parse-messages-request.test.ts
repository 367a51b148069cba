import { describe, expect, test } from 'vitest';
import { messages as endpoint } from './messages.ts';
import { parseMessagesRequest } from './parse-messages-request.ts';

const messages = [{ role: 'user', content: 'Hi' }];
const parse = (body: object) =>
  parseMessagesRequest(Buffer.from(JSON.stringify({ model: 'small', messages, ...body })));

test('what bounds a message', () => {
  const limit = { parameter: 'max_tokens', tokens: 9 };
  expect(parse({ max_tokens: 9 })).toMatchObject({ outputLimit: limit, choices: 1, textOnly: true, overheadTokens: 0 });
  expect(parse({}).outputLimit).toBeNull();
  // Anthropic's own prompt for them has no bytes here.
  expect(parse({ tools: [{ name: 'f', input_schema: {} }] }).overheadTokens).toBeGreaterThanOrEqual(804);
  expect(parse({ system: [{ type: 'text', text: 'Be short.' }] }).prompt.messages).toHaveLength(2);
});

test('the limit of the quote is always sent', () => {
  const body = Buffer.from('{"model":"small","messages":[{"role":"user","content":"Hi"}],"x":1}');
  const deployment = { id: 'p@x', provider: 'p', model: 'claude' };
  const options = { body, asked: parseMessagesRequest(body), route: { outputLimitParameter: null }, deployment };
  expect(endpoint.buildBody({ ...options, outputTokens: 256 }).toString('utf8')).toBe(
    '{"model":"claude","messages":[{"role":"user","content":"Hi"}],"x":1,"max_tokens":256}',
  );
});

describe('textOnly', () => {
  test.each<[string, unknown, boolean]>([
    ['a text', [{ type: 'text', text: 'a', cache_control: { type: 'ephemeral' } }], true],
    ['a call', [{ type: 'tool_use', id: 't', name: 'f', input: {} }], true],
    ['its result', [{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: 'a' }] }], true],
    ['an image as result', [{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'image' }] }], false],
    ['thinking', [{ type: 'thinking', thinking: 'a', signature: 'x' }], true],
    ['an image', [{ type: 'image', source: { type: 'url', url: 'https://x' } }], false],
    ['a document', [{ type: 'document', source: { type: 'url', url: 'https://x' } }], false],
  ])('%s', (_, content, expected) => {
    expect(parse({ messages: [{ role: 'user', content }] }).textOnly).toBe(expected);
  });
});

test.each<[string, object, string]>([
  ['a search by the provider', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, 'tools[0].type'],
  ['remote servers', { mcp_servers: [] }, 'mcp_servers'],
  ['a container', { container: 'c' }, 'container'],
  ['a dearer place', { inference_geo: 'us' }, 'inference_geo'],
  ['a dearer speed', { speed: 'fast' }, 'speed'],
  ['another tier', { service_tier: 'priority' }, 'service_tier'],
  ['several answers', { n: 2 }, 'n'],
  ['another API’s limit', { max_completion_tokens: 9 }, 'max_completion_tokens'],
  ['an earlier message', { diagnostics: { previous_message_id: 'm' } }, 'diagnostics.previous_message_id'],
  ['no messages', { messages: [] }, 'messages'],
  ['another spelling', { Mcp_Servers: [] }, 'Mcp_Servers'],
  [
    'another spelling within',
    { messages: [{ role: 'user', content: [{ Type: 'image' }] }] },
    'messages[0].content[0].Type',
  ],
  [
    'a file at the provider',
    { messages: [{ role: 'user', content: [{ type: 'document', source: { type: 'file', file_id: 'f' } }] }] },
    'messages[0].content[0].source.file_id',
  ],
  ['an impossible limit', { max_tokens: -1 }, 'max_tokens'],
])('%s is refused by name', (_, body, param) => {
  expect(() => parse(body)).toThrow(expect.objectContaining({ param }) as Error);
});
