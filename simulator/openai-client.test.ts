import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Simulator } from './create-simulator.ts';
import { createSimulator } from './create-simulator.ts';

// The unmodified client of OpenAI is the judge of the wire.
let simulator: Simulator;
let client: OpenAI;
let baseURL: string;
const messages = [{ role: 'user' as const, content: 'Say something.' }];
const weather = {
  type: 'function' as const,
  function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
};

beforeAll(async () => {
  simulator = createSimulator({ apiKey: 'sk-sim' });
  baseURL = `${await simulator.listen(0)}/v1`;
  client = new OpenAI({ baseURL, apiKey: 'sk-sim', maxRetries: 0, timeout: 5_000 });
});
afterAll(() => simulator.close());

test('create', async () => {
  const { data, request_id } = await client.chat.completions.create({ model: 'sim-small', messages }).withResponse();
  expect(data.id).toMatch(/^chatcmpl-[A-Za-z0-9]{29}$/);
  expect(data.object).toBe('chat.completion');
  expect(data.model).toBe('sim-small');
  expect(data.choices[0]).toMatchObject({ index: 0, finish_reason: 'stop', message: { role: 'assistant' } });
  expect(data.choices[0]?.message.content).toMatch(/^\[simulated\] /);
  expect(data.usage?.total_tokens).toBe(data.usage!.prompt_tokens + data.usage!.completion_tokens);
  expect(request_id).toMatch(/^req_/);
});

test('the same request has the same answer, another has another', async () => {
  const ask = (content: string) =>
    client.chat.completions.create({ model: 'sim-small', messages: [{ role: 'user', content }] });
  expect(await ask('a')).toEqual(await ask('a'));
  const [a, b] = [await ask('a'), await ask('b')];
  expect(a.id).not.toBe(b.id);
  expect(a.choices[0]?.message.content).not.toBe(b.choices[0]?.message.content);
});

test('stream: the same text as JSON, usage last', async () => {
  const json = await client.chat.completions.create({ model: 'sim-small', messages, n: 2 });
  const stream = await client.chat.completions.create({
    model: 'sim-small',
    messages,
    n: 2,
    stream: true,
    stream_options: { include_usage: true },
  });
  const texts = ['', ''];
  let last: OpenAI.ChatCompletionChunk | undefined;
  for await (const chunk of stream) {
    last = chunk;
    for (const choice of chunk.choices) texts[choice.index] += choice.delta.content ?? '';
  }
  expect(texts).toEqual(json.choices.map((choice) => choice.message.content));
  expect(last).toMatchObject({ choices: [], usage: json.usage });
});

test('the stream helper assembles tool calls', async () => {
  const runner = client.chat.completions.stream({
    model: 'sim-small?tool=get_weather,get_weather',
    messages,
    tools: [weather],
  });
  const { choices } = await runner.finalChatCompletion();
  expect(choices[0]?.finish_reason).toBe('tool_calls');
  const call = { type: 'function', function: { name: 'get_weather', arguments: '{"city":"simulated"}' } };
  expect(choices[0]?.message.tool_calls).toMatchObject([call, call]);
});

test('tool calls as JSON, directive in the header', async () => {
  const { choices } = await client.chat.completions.create(
    { model: 'sim-large', messages, tools: [weather] },
    { headers: { 'x-sim': 'tool=get_weather' } },
  );
  expect(choices[0]?.message.content).toBeNull();
  expect(choices[0]?.message.tool_calls?.[0]).toMatchObject({ type: 'function', function: { name: 'get_weather' } });
});

test('parse: structured output after a schema', async () => {
  const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
  const { choices } = await client.chat.completions.parse({
    model: 'sim-small',
    messages,
    response_format: { type: 'json_schema', json_schema: { name: 's', schema, strict: true } },
  });
  expect(choices[0]?.message.parsed).toEqual({ n: 1 });
});

test('models: list and retrieve', async () => {
  const names: string[] = [];
  for await (const model of client.models.list()) names.push(model.id);
  expect(names).toEqual(['sim-small', 'sim-large', 'sim-free']);
  expect(await client.models.retrieve('sim-other')).toMatchObject({ id: 'sim-other', object: 'model' });
});

test.each<[string, string, new (...args: never[]) => Error, object]>([
  ['429', 'sim-a?fault=status:429', OpenAI.RateLimitError, { type: 'requests', code: 'rate_limit_exceeded' }],
  ['500', 'sim-a?fault=status:500', OpenAI.InternalServerError, { type: 'server_error', code: null }],
  ['400', 'sim-a?fault=status:400', OpenAI.BadRequestError, { type: 'invalid_request_error' }],
  ['403', 'sim-a?fault=status:403', OpenAI.PermissionDeniedError, {}],
  ['an unknown model', 'gpt-4o', OpenAI.NotFoundError, { code: 'model_not_found', type: 'invalid_request_error' }],
  ['a misspelt fault', 'sim-a?fault=cut', OpenAI.BadRequestError, { code: 'invalid_sim_directive' }],
  ['a reset connection', 'sim-a?fault=refuse', OpenAI.APIConnectionError, {}],
])('%s is the right class of error', async (_, model, errorClass, fields) => {
  const failure: unknown = await client.chat.completions.create({ model, messages }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(errorClass);
  expect(failure).toMatchObject(fields);
});

test('the key is asked for', async () => {
  const stranger = new OpenAI({ baseURL, apiKey: 'sk-wrong', maxRetries: 0 });
  const failure: unknown = await stranger.models.list().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(OpenAI.AuthenticationError);
  expect(failure).toMatchObject({ code: 'invalid_api_key' });
});

test('hang-headers runs into the client’s own time-out', async () => {
  const failure: unknown = await client.chat.completions
    .create({ model: 'sim-a?fault=hang-headers', messages }, { timeout: 150 })
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(OpenAI.APIConnectionTimeoutError);
});

test('an error event ends a stream with an API error', async () => {
  const stream = await client.chat.completions.create({ model: 'sim-a?fault=error-after:3', messages, stream: true });
  let chunks = 0;
  const read = async () => {
    for await (const chunk of stream) chunks += chunk.choices.length;
  };
  await expect(read()).rejects.toBeInstanceOf(OpenAI.APIError);
  expect(chunks).toBe(3);
});
