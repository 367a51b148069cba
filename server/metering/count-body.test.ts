import { expect, test } from 'vitest';
import { promptOverheadTokens } from '../../protocol/pricing/token-prices.ts';
import { countBody, encodingOf } from './count-body.ts';
import { estimateUsage } from './estimate-usage.ts';

const bodyOf = (value: object) => Buffer.from(JSON.stringify(value));

test('knows the encodings of OpenAI’s models, and of no others', () => {
  const known = {
    'gpt-4o': 'o200k_base',
    'gpt-4o-mini-2024-07-18': 'o200k_base',
    'openai/gpt-5.1': 'o200k_base',
    'gpt-4.1-nano': 'o200k_base',
    'o3-mini': 'o200k_base',
    'openai/gpt-oss-120b': 'o200k_base',
    'gpt-4': 'cl100k_base',
    'gpt-4-turbo': 'cl100k_base',
    'gpt-3.5-turbo-0125': 'cl100k_base',
    'text-embedding-3-small': 'cl100k_base',
  };
  for (const [model, encoding] of Object.entries(known)) expect(encodingOf(model), model).toBe(encoding);
  for (const model of ['llama-3.3-70b', 'claude-sonnet-4-5', 'deepseek-chat', 'o3d', 'gpt-4all', 'my-deployment', '']) {
    expect(encodingOf(model), model).toBeNull();
  }
});

test('counts far fewer tokens than bytes, and no fewer than the prompt has', async () => {
  const texts = [
    'The quick brown fox jumps over the lazy dog. '.repeat(40),
    'let x = { "a": [1, 2, 3],\n\t"b": "c\\\\d" };\n\n'.repeat(20),
    'Zażółć gęślą jaźń – 素早い茶色の狐 🦊🦊 '.repeat(20),
    '\n'.repeat(500),
    ' '.repeat(500),
    '0123456789'.repeat(30),
    'x',
  ];
  const tools = [{ type: 'function', function: { name: 'look_up', parameters: { type: 'object', properties: {} } } }];
  for (const content of texts) {
    const messages = [{ role: 'system', content: 'Be brief.' }, ...Array(9).fill({ role: 'user', content })];
    const body = bodyOf({ model: 'm', messages, tools });
    const counted = await countBody(body, ['gpt-4o']);
    const { prompt } = await estimateUsage({ messages, tools, answer: [] });
    expect(counted).not.toBeNull();
    expect((counted ?? 0) + promptOverheadTokens, content.slice(0, 20)).toBeGreaterThanOrEqual(prompt);
    expect(counted).toBeLessThan(body.length);
  }
});

test('takes the longer of two encodings, and none where one is not known', async () => {
  const body = bodyOf({ messages: [{ content: 'Привет, мир. '.repeat(30) }] });
  const [newer, older] = await Promise.all([countBody(body, ['gpt-4o']), countBody(body, ['gpt-4'])]);
  expect(older).toBeGreaterThan(newer ?? Infinity);
  expect(await countBody(body, ['gpt-4o', 'gpt-4'])).toBe(older);
  expect(await countBody(body, ['gpt-4o', 'llama-3.3-70b'])).toBeNull();
  expect(await countBody(body, [])).toBeNull();
});

test('does not count what would take too long', async () => {
  expect(await countBody(Buffer.alloc(65_537, 'x '), ['gpt-4o'])).toBeNull();
});
