import { describe, expect, test } from 'vitest';
import { parseResponsesRequest } from './parse-responses-request.ts';
import { responses } from './responses.ts';

const parse = (body: object) =>
  parseResponsesRequest(Buffer.from(JSON.stringify({ model: 'small', input: 'Hi', ...body })));

test('what bounds a response', () => {
  expect(parse({})).toMatchObject({ outputLimit: null, choices: 1, textOnly: true, stream: false, logprobs: 0 });
  const limit = { parameter: 'max_output_tokens', tokens: 9 };
  expect(parse({ max_output_tokens: 9, stream: true })).toMatchObject({ outputLimit: limit, stream: true });
  expect(parse({ include: ['message.output_text.logprobs'], top_logprobs: 3 }).logprobs).toBe(4);
  expect(parse({ instructions: 'Be short.' }).prompt.messages).toEqual([
    { role: 'system', content: 'Be short.' },
    { role: 'user', content: 'Hi' },
  ]);
});

test('the limit of the quote is always sent', () => {
  const body = Buffer.from('{"model":"small","input":"Hi","store":false,"x":1}');
  const deployment = { id: 'p@x', provider: 'p', model: 'small' };
  const options = { body, asked: parseResponsesRequest(body), route: { outputLimitParameter: null }, deployment };
  expect(responses.buildBody({ ...options, outputTokens: 256 }).toString('utf8')).toBe(
    '{"model":"small","input":"Hi","store":false,"x":1,"max_output_tokens":256}',
  );
});

describe('textOnly', () => {
  test.each<[string, object, boolean]>([
    ['a message', { role: 'user', content: [{ type: 'input_text', text: 'a' }] }, true],
    ['a refusal', { type: 'message', role: 'assistant', content: [{ type: 'refusal', refusal: 'a' }] }, true],
    ['a call', { type: 'function_call', name: 'f', arguments: '{}', call_id: 'c' }, true],
    ['its output', { type: 'function_call_output', call_id: 'c', output: 'a' }, true],
    ['an image as output', { type: 'function_call_output', call_id: 'c', output: [{ type: 'input_image' }] }, false],
    ['reasoning with its content', { type: 'reasoning', id: 'rs', summary: [], encrypted_content: 'x' }, true],
    ['reasoning by its id', { type: 'reasoning', id: 'rs', summary: [] }, false],
    ['an image', { role: 'user', content: [{ type: 'input_image', image_url: 'https://x' }] }, false],
    ['a file', { role: 'user', content: [{ type: 'input_file', file_id: null, file_url: 'https://x' }] }, false],
    // The AI SDK repeats an answer without its type, openai's users with it.
    ['an earlier answer', { id: 'msg_1', role: 'assistant', content: [{ type: 'output_text', text: 'a' }] }, true],
    ['no type', { type: null, role: 'user', content: 'a' }, true],
  ])('%s', (_, item, expected) => {
    expect(parse({ input: [item] }).textOnly).toBe(expected);
  });
});

test.each<[string, object, string]>([
  ['an earlier response', { previous_response_id: 'resp_1' }, 'previous_response_id'],
  ['a conversation', { conversation: 'conv_1' }, 'conversation'],
  ['a stored prompt', { prompt: { id: 'pmpt_1' } }, 'prompt'],
  ['a stored item', { input: [{ type: 'item_reference', id: 'msg_1' }] }, 'input[0].type'],
  ['a stored item without its type', { input: [{ id: 'msg_1' }] }, 'input[0].role'],
  ['a stored item of no type', { input: [{ type: null, id: 'msg_1', role: 'user' }] }, 'input[0].content'],
  ['a stored message', { input: [{ type: 'message', id: 'msg_1', role: 'user', content: null }] }, 'input[0].content'],
  [
    'a stored file',
    { input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'f' }] }] },
    'input[0].content[0].file_id',
  ],
  [
    'a stored picture as output',
    { input: [{ type: 'function_call_output', call_id: 'c', output: [{ type: 'input_image', file_id: 'f' }] }] },
    'input[0].output[0].file_id',
  ],
  ['tools among the input', { input: [{ type: 'additional_tools', tools: [{ type: 'mcp' }] }] }, 'input[0].type'],
  ['tools that were found', { input: [{ type: 'tool_search_output', tools: [{ type: 'mcp' }] }] }, 'input[0].type'],
  ['compaction among the input', { input: [{ type: 'compaction_trigger' }] }, 'input[0].type'],
  ['leave for a remote server', { input: [{ type: 'mcp_approval_response', approve: true }] }, 'input[0].type'],
  ['a container', { input: [{ type: 'code_interpreter_call', container_id: 'c' }] }, 'input[0].type'],
  ['a type that is none', { input: [{ type: 7, role: 'user', content: 'a' }] }, 'input[0].type'],
  ['another mode of reasoning', { reasoning: { mode: 'pro' } }, 'reasoning.mode'],
  [
    'a comparison',
    { prompt_cache_options: { comparison_response_id: 'r' } },
    'prompt_cache_options.comparison_response_id',
  ],
  ['another API’s limit', { max_tokens: 9 }, 'max_tokens'],
  ['several answers', { n: 2 }, 'n'],
  ['the background', { background: true }, 'background'],
  ['compaction', { context_management: [{ type: 'compaction' }] }, 'context_management'],
  ['a search by the provider', { tools: [{ type: 'web_search' }] }, 'tools[0].type'],
  [
    'a remote server',
    {
      tools: [
        { type: 'function', name: 'f' },
        { type: 'mcp', server_url: 'x' },
      ],
    },
    'tools[1].type',
  ],
  ['a faster tier', { service_tier: 'priority' }, 'service_tier'],
  ['no input', { input: null }, 'input'],
  ['an item that is none', { input: ['a'] }, 'input[0]'],
  ['another spelling', { Previous_Response_Id: 'resp_1' }, 'Previous_Response_Id'],
  ['another spelling within', { input: [{ Type: 'item_reference' }] }, 'input[0].Type'],
  ['an impossible limit', { max_output_tokens: 0 }, 'max_output_tokens'],
])('%s is refused by name', (_, body, param) => {
  expect(() => parse(body)).toThrow(expect.objectContaining({ param }) as Error);
});

test('what says nothing passes', () => {
  expect(() =>
    parse({ previous_response_id: null, background: false, tools: null, service_tier: 'auto', n: 1 }),
  ).not.toThrow();
  expect(() => parse({ reasoning: { mode: 'standard', effort: 'low' }, prompt_cache_options: {} })).not.toThrow();
});
