import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, test } from 'vitest';
import type { Choice } from './build-choice.ts';
import { buildChoice, joinText } from './build-choice.ts';
import { parseDirectives } from './parse-directives.ts';
import { parseRequest } from './parse-request.ts';
import { createSeededRandom } from './seeded-random.ts';

const TOOLS = ['get_weather', 'get_time'].map((name) => ({
  type: 'function',
  function: { name, parameters: { type: 'object', properties: { city: { type: 'string' } } } },
}));

function build(fields: object, directives = ''): Choice {
  const body = { model: 'sim-a', messages: [{ role: 'user', content: 'hi' }], ...fields };
  return buildChoice({
    request: parseRequest(Buffer.from(JSON.stringify(body))),
    directives: parseDirectives({ suffix: directives, header: null }),
    random: createSeededRandom('seed'),
  });
}

const summary = (choice: Choice) => [encode(joinText(choice.content)).length, choice.finishReason];

test('a set length is kept exactly', () => {
  expect(summary(build({}, 'tokens=23'))).toEqual([23, 'stop']);
});

test.each(['max_tokens', 'max_completion_tokens'])('%s cuts at exactly that count', (field) => {
  expect(summary(build({ [field]: 10 }, 'tokens=23'))).toEqual([10, 'length']);
  expect(summary(build({ [field]: 23 }, 'tokens=23'))).toEqual([23, 'length']);
  expect(summary(build({ [field]: 24 }, 'tokens=23'))).toEqual([23, 'stop']);
});

test('reasoning is billed, and uses up the limit first', () => {
  const some = build({ max_completion_tokens: 30 }, 'tokens=20&reasoning=25');
  expect(summary(some)).toEqual([5, 'length']);
  expect(some).toMatchObject({ reasoningTokens: 25, completionTokens: 30 });
  const none = build({ max_completion_tokens: 30 }, 'tokens=20&reasoning=99');
  expect(summary(none)).toEqual([0, 'length']);
  expect(none).toMatchObject({ reasoningTokens: 30, completionTokens: 30 });
});

test('the first stop sequence ends the text before it', () => {
  const whole = joinText(build({}, 'tokens=40').content);
  const third = whole.split(' ')[3]!;
  const stopped = build({ stop: ['never there', ` ${third}`, ''] }, 'tokens=40');
  expect(joinText(stopped.content)).toBe(whole.slice(0, whole.indexOf(` ${third}`)));
  expect(stopped.finishReason).toBe('stop');
  expect(stopped.completionTokens).toBe(encode(joinText(stopped.content)).length);
});

test('JSON formats are answered with JSON', () => {
  const free = build({ response_format: { type: 'json_object' } });
  expect(JSON.parse(joinText(free.content))).toMatchObject({ simulated: true });
  const schema = { type: 'object', properties: { a: { type: 'integer' } } };
  const strict = build({ response_format: { type: 'json_schema', json_schema: { name: 's', schema } } });
  expect(joinText(strict.content)).toBe('{"a":1}');
  const cut = build({ response_format: { type: 'json_object' }, max_tokens: 4 });
  expect(summary(cut)).toEqual([4, 'length']);
});

test('tool= calls the named functions', () => {
  const choice = build({ tools: TOOLS }, 'tool=get_time,get_weather');
  expect(choice.finishReason).toBe('tool_calls');
  expect(choice.content).toEqual([]);
  expect(choice.toolCalls.map((call) => [call.name, joinText(call.arguments)])).toEqual([
    ['get_time', '{"city":"simulated"}'],
    ['get_weather', '{"city":"simulated"}'],
  ]);
  const args = encode('{"city":"simulated"}').length;
  expect(choice.completionTokens).toBe(2 * args + encode('get_time').length + encode('get_weather').length);
  for (const { id } of choice.toolCalls) expect(id).toMatch(/^call_[A-Za-z0-9]{24}$/);
});

test('tool_choice forces a call; by name it finishes with stop', () => {
  const required = build({ tools: TOOLS, tool_choice: 'required' });
  expect([required.toolCalls[0]?.name, required.finishReason]).toEqual(['get_weather', 'tool_calls']);
  const named = build({ tools: TOOLS, tool_choice: { type: 'function', function: { name: 'get_time' } } });
  expect([named.toolCalls[0]?.name, named.finishReason]).toEqual(['get_time', 'stop']);
  expect(build({ tools: TOOLS }).toolCalls).toEqual([]);
});

test('a limit cuts tool calls too', () => {
  for (let limit = 1; limit <= 20; limit += 1) {
    const choice = build({ tools: TOOLS, max_tokens: limit }, 'tool=get_time,get_weather');
    const whole = build({ tools: TOOLS }, 'tool=get_time,get_weather').completionTokens;
    expect(choice.completionTokens).toBeLessThanOrEqual(limit);
    expect(choice.finishReason).toBe(limit <= whole ? 'length' : 'tool_calls');
  }
});

test('refuses tool= for a function that is not offered', () => {
  expect(() => build({ tools: TOOLS }, 'tool=launch')).toThrow(
    expect.objectContaining({ status: 400, param: 'tools', code: 'invalid_sim_directive' }),
  );
});
