import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSimulator, type Simulator } from '../create-simulator.ts';

// The unmodified clients of OpenAI and Anthropic are the judges of the wires.
let simulator: Simulator;
let openai: OpenAI;
let anthropic: Anthropic;
const parameters = { type: 'object' as const, properties: { city: { type: 'string' } } };

beforeAll(async () => {
  simulator = createSimulator({ apiKey: 'sk-sim' });
  const url = await simulator.listen(0);
  openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'sk-sim', maxRetries: 0, timeout: 5_000 });
  anthropic = new Anthropic({ baseURL: url, apiKey: 'sk-sim', maxRetries: 0, timeout: 5_000 });
});
afterAll(() => simulator.close());

test('responses: the same text as JSON and as a stream', async () => {
  const ask = { model: 'sim-small', instructions: 'Be short.', input: 'Say something.' };
  const whole = await openai.responses.create(ask);
  expect(whole).toMatchObject({ object: 'response', status: 'completed', model: 'sim-small' });
  expect(whole.output_text).toMatch(/^\[simulated\] /);
  const { input_tokens = 0, output_tokens = 0, total_tokens } = whole.usage ?? {};
  expect(total_tokens).toBe(input_tokens + output_tokens);
  const streamed = await openai.responses.stream(ask).finalResponse();
  expect(streamed.output_text).toBe(whole.output_text);
  expect(streamed.usage).toEqual(whole.usage);
});

test('responses: function calls, and a limit that is met', async () => {
  const tool = { type: 'function' as const, name: 'get_weather', parameters, strict: null };
  const ask = { model: 'sim-small?tool=get_weather', input: 'Weather?', tools: [tool] };
  const call = { type: 'function_call', name: 'get_weather', arguments: '{"city":"simulated"}' };
  expect((await openai.responses.create(ask)).output).toMatchObject([call]);
  expect((await openai.responses.stream(ask).finalResponse()).output).toMatchObject([call]);
  const cut = await openai.responses.create({ model: 'sim-small?tokens=50', input: 'x', max_output_tokens: 20 });
  expect(cut).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } });
  expect(cut.usage?.output_tokens).toBe(20);
});

test('completions: choices for each prompt, as JSON and as a stream', async () => {
  const ask = { model: 'sim-small', prompt: ['Once', 'Twice'], n: 2, max_tokens: 30 };
  const whole = await openai.completions.create(ask);
  expect(whole.choices).toHaveLength(4);
  const texts = ['', '', '', ''];
  const stream = await openai.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } });
  let usage: unknown;
  for await (const chunk of stream) {
    usage = chunk.usage ?? usage;
    for (const { index, text } of chunk.choices) texts[index] += text;
  }
  expect(texts).toEqual(whole.choices.map(({ text }) => text));
  expect(usage).toEqual(whole.usage);
});

test('embeddings: one vector for each input, in both encodings', async () => {
  const ask = { model: 'sim-small', input: ['one', 'two'], dimensions: 4 };
  // The client asks for base64 unless told otherwise, and decodes it.
  const { data, usage } = await openai.embeddings.create(ask);
  expect(data.map(({ embedding }) => embedding.length)).toEqual([4, 4]);
  const plain = await openai.embeddings.create({ ...ask, encoding_format: 'float' });
  expect(plain.data.map(({ embedding }) => embedding)).toEqual(data.map(({ embedding }) => embedding));
  expect(usage).toEqual({ prompt_tokens: plain.usage.prompt_tokens, total_tokens: plain.usage.prompt_tokens });
});

test('messages: the same text as JSON and as a stream, cached tokens beside the others', async () => {
  const ask = {
    ...{ model: 'sim-small?cached=4', system: 'Be short.', max_tokens: 60 },
    messages: [{ role: 'user' as const, content: 'Say something.' }],
  };
  const whole = await anthropic.messages.create(ask);
  expect(whole).toMatchObject({ type: 'message', role: 'assistant', model: 'sim-small', stop_reason: 'end_turn' });
  expect(whole.usage).toMatchObject({ cache_creation_input_tokens: 2, cache_read_input_tokens: 2 });
  const streamed = await anthropic.messages.stream(ask).finalMessage();
  expect(streamed.content).toMatchObject(whole.content.map(({ type }) => ({ type })));
  expect(streamed.content).toEqual(whole.content);
  expect(streamed.usage).toMatchObject(whole.usage);
});

test('messages: tools, and errors in their own shape', async () => {
  const ask = {
    ...{
      model: 'sim-small?tool=get_weather',
      max_tokens: 60,
      tools: [{ name: 'get_weather', input_schema: parameters }],
    },
    messages: [{ role: 'user' as const, content: 'Weather?' }],
  };
  const call = { type: 'tool_use', name: 'get_weather', input: { city: 'simulated' } };
  expect((await anthropic.messages.create(ask)).content).toMatchObject([call]);
  expect((await anthropic.messages.stream(ask).finalMessage()).content).toMatchObject([call]);
  const refused: unknown = await anthropic.messages
    .create({ ...ask, model: 'sim-a?fault=status:429' })
    .catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(Anthropic.RateLimitError);
  expect(refused).toMatchObject({ error: { type: 'error', error: { type: 'rate_limit_error' } } });
});

test('every stream that breaks off in an error event is an error to its client', async () => {
  const model = 'sim-a?fault=error-after:4';
  const messages = [{ role: 'user' as const, content: 'x' }];
  const read = async (stream: AsyncIterable<unknown>) => {
    for await (const _event of stream) continue;
  };
  await expect(openai.responses.create({ model, input: 'x', stream: true }).then(read)).rejects.toBeInstanceOf(
    OpenAI.APIError,
  );
  const completion = openai.completions.create({ model, prompt: 'x', stream: true });
  await expect(completion.then(read)).rejects.toBeInstanceOf(OpenAI.APIError);
  const message = anthropic.messages.create({ model, messages, max_tokens: 9, stream: true });
  await expect(message.then(read)).rejects.toBeInstanceOf(Anthropic.APIError);
});
