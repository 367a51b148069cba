import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatOpenAI } from '@langchain/openai';
import { generateText, streamText } from 'ai';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openWallet, type Wallet } from '../../client/open-wallet.ts';
import { createPayFetch } from '../../client/pay-fetch.ts';
import { fundWallet } from '../support/fund-wallet.ts';
import { KeyOwner } from '../support/key-owner.ts';
import { startTestStack, type TestStack } from '../support/start-test-stack.ts';

// Unmodified clients, and each way in which they reach the relay. None of them reads a named SSE event: where one got into a stream, the AI
// SDK would end with `error` and openai would throw (see the last tests, which show that these tests would notice).
const model = 'sim-small';
const cut = 'sim-small?fault=cut-after:3';
const messages = [{ role: 'user' as const, content: 'Say something.' }];

let stack: TestStack;
let folder: string;
let wallet: Wallet;
let apiKey: string;
/** What a `fetch` of these tests read of each stream, as it came. */
const raw: string[] = [];

beforeAll(async () => {
  stack = await startTestStack({ extraRoutes: [cut] });
  folder = await mkdtemp(join(tmpdir(), 'autopay-clients-'));
  const { payer, payFetchOptions } = stack;
  const privateKey = await fundWallet(stack, { usdcAtomic: 2_000_000n, ether: '0.02' });
  wallet = openWallet({ ...payFetchOptions, privateKey, deposit: 1_000_000n, stateDir: folder });
  const owner = new KeyOwner(payer, payFetchOptions.privateKey);
  await owner.logIn();
  await owner.postHeadroom(await payer.openChannel({ deposit: 1_000_000n }), 1_000_000n);
  ({ apiKey } = await owner.createKey());
}, 180_000);
afterAll(async () => {
  await stack.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  raw.length = 0;
});

/** A fetch that keeps what went through it. */
function watched(send: typeof fetch): typeof fetch {
  return async (input, init) => {
    const response = await send(input, init);
    if (response.body === null) return response;
    const [mine, theirs] = response.body.tee();
    void new Response(mine).text().then(
      (text) => raw.push(text),
      () => undefined,
    );
    return new Response(theirs, response);
  };
}

interface Way {
  baseURL: string;
  apiKey: string;
  fetch: typeof fetch;
}
const ways: Record<string, () => Way> = {
  'through the sidecar': () => ({ baseURL: `${stack.sidecarUrl}/v1`, apiKey: 'unused', fetch: watched(fetch) }),
  'by API key': () => ({ baseURL: `${stack.stack.relayUrl}/v1`, apiKey, fetch: watched(fetch) }),
  'with payFetch': () => {
    return { baseURL: `${stack.stack.relayUrl}/v1`, apiKey: 'unused', fetch: watched(createPayFetch(wallet)) };
  },
};

const openai = (way: Way) => new OpenAI({ ...way, maxRetries: 0 });
const aiSdk = ({ baseURL, apiKey: key, fetch: send }: Way) =>
  createOpenAICompatible({ name: 'autopay', baseURL, apiKey: key, fetch: send, includeUsage: true });
const langChain = (way: Way, name = model) =>
  new ChatOpenAI({ model: name, apiKey: way.apiKey, maxRetries: 0, maxTokens: 24, configuration: way });

describe.each(Object.keys(ways))('%s', (name) => {
  const way = () => ways[name]?.() ?? expect.fail('there is no such way');

  it('openai gets an answer, and a stream with its usage', async () => {
    const answer = await openai(way()).chat.completions.create({ model, messages, max_tokens: 24 });
    expect(answer.choices[0]?.message.content).toContain('[simulated]');
    const stream = openai(way()).chat.completions.stream({
      ...{ model, messages, max_tokens: 24, stream_options: { include_usage: true } },
    });
    const whole = await stream.finalChatCompletion();
    expect(whole.choices[0]?.message.content).toBe(answer.choices[0]?.message.content);
    expect(whole.usage?.total_tokens).toBe(answer.usage?.total_tokens);
    await expectReceiptAndNoEvent();
  });

  it('the AI SDK gets an answer, and a stream that finishes as whole', async () => {
    const options = { prompt: 'Say something.', maxOutputTokens: 24, maxRetries: 0 };
    const answer = await generateText({ ...options, model: aiSdk(way())(model) });
    expect(answer.text).toContain('[simulated]');
    const stream = streamText({ ...options, model: aiSdk(way())(model), onError: () => undefined });
    let text = '';
    for await (const part of stream.textStream) text += part;
    expect([text, await stream.finishReason]).toEqual([answer.text, answer.finishReason]);
    expect((await stream.usage).totalTokens).toBe(answer.usage.totalTokens);
    await expectReceiptAndNoEvent();
  });

  it('LangChain gets an answer, and a stream', async () => {
    const answer = await langChain(way()).invoke('Say something.');
    expect(answer.text).toContain('[simulated]');
    let text = '';
    for await (const part of await langChain(way()).stream('Say something.')) text += part.text;
    expect(text).toBe(answer.text);
    await expectReceiptAndNoEvent();
  });

  it('openai gets a response, and its events', async () => {
    const ask = { model, input: 'Say something.', max_output_tokens: 24 };
    const answer = await openai(way()).responses.create(ask);
    expect(answer.output_text).toContain('[simulated]');
    const whole = await openai(way()).responses.stream(ask).finalResponse();
    expect([whole.output_text, whole.usage]).toEqual([answer.output_text, answer.usage]);
    await expect.poll(() => raw.length).toBe(2);
    expect(raw.at(-1)).toMatch(/\nevent: response\.(?:completed|incomplete)\n.*\n\n: autopay-receipt \S+\n\n$/);
  });

  it('openai gets a completion and embeddings', async () => {
    const { choices } = await openai(way()).completions.create({ model, prompt: ['Once', 'Twice'] });
    expect(choices.map(({ text }) => text.length > 0)).toEqual([true, true]);
    const { data } = await openai(way()).embeddings.create({ model, input: ['one', 'two'] });
    expect(data).toHaveLength(2);
  });

  it('Anthropic’s client gets a message, and its events', async () => {
    const { baseURL, ...rest } = way();
    const client = new Anthropic({ ...rest, baseURL: baseURL.replace(/\/v1$/, ''), maxRetries: 0 });
    const ask = { model, messages, max_tokens: 24 };
    const answer = await client.messages.create(ask);
    const whole = await client.messages.stream(ask).finalMessage();
    expect(whole.content).toEqual(answer.content);
    await expect.poll(() => raw.length).toBe(2);
    expect(raw.at(-1)).toMatch(/\nevent: message_stop\n.*\n\n: autopay-receipt \S+\n\n$/);
    const broken: unknown = await client.messages
      .stream({ ...ask, model: cut })
      .finalMessage()
      .catch((error: unknown) => error);
    expect(broken).toBeInstanceOf(Error);
  });

  it('half an answer is an error to each of them', async () => {
    const options = { model: cut, messages, stream: true } as const;
    const streams = [
      openai(way()).chat.completions.create(options),
      streamText({ model: aiSdk(way())(cut), prompt: 'Hi.', maxRetries: 0, onError: () => undefined }).fullStream,
      langChain(way(), cut).stream('Hi.'),
    ];
    for (const stream of streams) expect(await breaks(await stream)).toBe(true);
  });
});

describe('a named event, which none of these streams has', () => {
  const withEvent: typeof fetch = async () => {
    const delta = {
      id: 'x',
      object: 'chat.completion.chunk',
      created: 0,
      model,
      choices: [{ index: 0, delta: { content: 'a' } }],
    };
    const event = 'event: payment-receipt\ndata: {"status":"success"}\n\n';
    const headers = { 'content-type': 'text/event-stream' };
    return Promise.resolve(new Response(`data: ${JSON.stringify(delta)}\n\n${event}data: [DONE]\n\n`, { headers }));
  };
  const way = { baseURL: 'http://relay.example/v1', apiKey: 'unused', fetch: withEvent };

  it('would break openai and the AI SDK', async () => {
    const stream = openai(way).chat.completions.stream({ model, messages });
    await expect(stream.finalChatCompletion()).rejects.toThrow();
    const options = { model: aiSdk(way)(model), prompt: 'Hi.', onError: () => undefined };
    expect(await breaks(streamText(options).fullStream)).toBe(true);
  });
});

/** Whether a client says that a stream is not whole: it throws, or (the AI SDK) has a part that is an error. */
async function breaks(parts: AsyncIterable<unknown>): Promise<boolean> {
  try {
    for await (const part of parts) if ((part as { type?: unknown }).type === 'error') return true;
    return false;
  } catch {
    return true;
  }
}

/** The stream that was read last has a receipt, as a comment, and no named event. */
async function expectReceiptAndNoEvent(): Promise<void> {
  await expect.poll(() => raw.length).toBe(2);
  const stream = raw.at(-1) ?? '';
  expect(stream).toMatch(/\n: autopay-receipt \S+\n\ndata: \[DONE\]\n\n$/);
  expect(stream).not.toMatch(/^event:/m);
}
