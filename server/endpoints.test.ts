import { randomBytes } from 'node:crypto';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { commit } from '../protocol/receipt/commitments.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { createSimulator, type Simulator } from '../simulator/create-simulator.ts';
import { makeRoute } from './call/call-fixtures.ts';
import type { ProviderQuirks } from './call/types.ts';
import { temporaryFolder } from './ledger/ledger-fixtures.ts';
import { payByToy, ToyBank } from './payments/toy-fixture.ts';
import { createTransport, type ProviderTransport } from './providers/openai-compatible.ts';
import { startToyRelay, type ToyRelay } from './toy-relay-fixture.ts';

/*
 * Every endpoint over real HTTP, on real books, against the simulated provider, by the unmodified clients of OpenAI and Anthropic. The
 * life of a call is the same at each, so what is shown here is what each API has of its own: its bytes, its usage, its ends.
 */

const models = {
  plain: 'sim-small?cached=4&tokens=30',
  cut: 'sim-small?tokens=30&fault=cut-after:6',
  failing: 'sim-small?tokens=30&fault=error-after:6',
  refusing: 'sim-small?fault=status:429&retryAfter=7',
  unmetered: 'sim-small?tokens=30&fault=no-usage',
  slow: 'sim-small?tokens=30&tps=60',
};
/** What there is to say of the provider: its Messages API is Anthropic's own. */
const quirks: ProviderQuirks = {
  outputLimitParameter: 'max_completion_tokens',
  takesStreamOptions: true,
  reasoningBeside: false,
  errorMember: 'error',
  anthropicMessages: true,
};

let simulator: Simulator;
let simulatorUrl: string;
let transport: ProviderTransport;
let relay: ToyRelay;
let folder: { dataDir: string; remove: () => void };
let bank: ToyBank;
let payer: Hex;
let nonce = 0;
/** Text and headers of each answer that a client got. */
let seen: { text: Promise<string>; headers: Headers }[] = [];

beforeAll(async () => {
  simulator = createSimulator({ apiKey: 'sk-sim' });
  simulatorUrl = await simulator.listen(0);
  transport = createTransport({
    providers: [{ name: 'simulated', baseUrl: `${simulatorUrl}/v1`, apiKey: 'sk-sim' }],
    ...{ connectTimeoutMs: 2_000, headersTimeoutMs: 2_000, idleTimeoutMs: 2_000, maxConnections: 16 },
  });
  bank = new ToyBank();
  folder = temporaryFolder();
  const prices = makeRoute().prices?.slice(0, 1) ?? [];
  const routes = Object.entries(models).map(([name, model]) => {
    const deployments = [{ id: `simulated@${name}`, provider: 'simulated', model, quirks }];
    return makeRoute({ model: name, deployments, prices: prices.map((row) => ({ ...row, model: name })) });
  });
  const chatOnly = { ...quirks, endpoints: ['/v1/chat/completions'] };
  const only = { id: 'simulated@chat', provider: 'simulated', model: models.plain, quirks: chatOnly };
  routes.push(makeRoute({ model: 'chat-only', deployments: [only], prices: null }));
  relay = await startToyRelay({ dataDir: folder.dataDir, bank, upstream: transport, routes });
});
afterAll(async () => {
  await relay.kill();
  await transport.close();
  await simulator.close();
  folder.remove();
});
beforeEach(() => {
  payer = toHex(randomBytes(20));
  bank.balances.set(payer, 10_000_000n);
  seen = [];
});

/** Pays each request anew, and keeps what is answered. */
const paying: typeof fetch = async (input, init) => {
  const headers = new Headers(init?.headers);
  for (const [name, value] of Object.entries(payByToy(payer, (nonce += 1), 9_000_000n))) headers.set(name, value);
  const response = await fetch(input, { ...init, headers });
  if (response.body === null) return response;
  const [mine, theirs] = response.body.tee();
  seen.push({ text: new Response(mine).text().catch(() => ''), headers: response.headers });
  return new Response(theirs, response);
};

const openai = () => new OpenAI({ baseURL: `${relay.url}/v1`, apiKey: 'unused', maxRetries: 0, fetch: paying });
const anthropic = () => new Anthropic({ baseURL: relay.url, apiKey: 'unused', maxRetries: 0, fetch: paying });

/** What the payer has paid. */
const paid = () => 10_000_000n - (bank.balances.get(payer) ?? 0n);

function receiptOf(base64: string | undefined | null) {
  if (!base64) throw new Error('there is no receipt');
  const signed = decodeSignedReceipt(base64);
  return { signed, receipt: decodeReceipt(signed.entry) };
}

const messages = [{ role: 'user' as const, content: 'Say something.' }];

/** What one API has of its own. */
interface Shown {
  path: string;
  body: Record<string, unknown>;
  /** The text of a whole answer by the unmodified client. */
  whole(model: string): Promise<string>;
  /** The same of a stream; rejects if the client takes it for broken. */
  streamed?(model: string): Promise<string>;
  /** The last event's beginning, and whether the receipt stands after it. */
  end: string;
  endsBeforeReceipt: boolean;
  outputLimit: string;
}

const apis: Record<string, Shown> = {
  responses: {
    path: '/v1/responses',
    body: { input: 'Say something.', max_output_tokens: 40 },
    whole: async (model) =>
      (await openai().responses.create({ model, input: 'Say something.', max_output_tokens: 40 })).output_text,
    streamed: async (model) => {
      let text = '';
      const ask = { model, input: 'Say something.', max_output_tokens: 40, stream: true as const };
      for await (const event of await openai().responses.create(ask)) {
        if (event.type === 'response.output_text.delta') text += event.delta;
      }
      return text;
    },
    end: 'event: response.completed\n',
    endsBeforeReceipt: true,
    outputLimit: 'max_output_tokens',
  },
  completions: {
    path: '/v1/completions',
    body: { prompt: 'Say something.', max_tokens: 40 },
    whole: async (model) => {
      const { choices } = await openai().completions.create({ model, prompt: 'Say something.', max_tokens: 40 });
      return choices[0]?.text ?? '';
    },
    streamed: async (model) => {
      let text = '';
      const ask = { model, prompt: 'Say something.', max_tokens: 40, stream: true as const };
      for await (const { choices } of await openai().completions.create(ask)) text += choices[0]?.text ?? '';
      return text;
    },
    end: 'data: [DONE]\n',
    endsBeforeReceipt: false,
    outputLimit: 'max_tokens',
  },
  embeddings: {
    path: '/v1/embeddings',
    body: { input: ['Say something.', 'And more.'] },
    whole: async (model) => {
      const { data } = await openai().embeddings.create({ model, input: ['Say something.', 'And more.'] });
      return data.map(({ embedding }) => embedding.join(' ')).join('\n');
    },
    end: '',
    endsBeforeReceipt: false,
    outputLimit: 'none',
  },
  messages: {
    path: '/v1/messages',
    body: { messages, max_tokens: 40 },
    whole: async (model) => {
      const { content } = await anthropic().messages.create({ model, messages, max_tokens: 40 });
      return content.map((block) => (block.type === 'text' ? block.text : '')).join('');
    },
    streamed: async (model) => {
      const message = await anthropic().messages.stream({ model, messages, max_tokens: 40 }).finalMessage();
      return message.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
    },
    end: 'event: message_stop\n',
    endsBeforeReceipt: true,
    outputLimit: 'max_tokens',
  },
};
const streaming = Object.entries(apis).filter(([, { streamed }]) => streamed);

/** Posts without a client, so that each byte can be looked at. */
function post(path: string, body: object, headers: Record<string, string> = payByToy(payer, (nonce += 1), 9_000_000n)) {
  return fetch(relay.url + path, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) },
  });
}

/** The last request that the provider got. */
async function lastRequest(): Promise<{ body: string; headers: Record<string, string>; count: number }> {
  const response = await fetch(`${simulatorUrl}/sim/requests`);
  const { count, requests } = (await response.json()) as {
    count: number;
    requests: { body: string; headers: Record<string, string> }[];
  };
  const last = requests.at(-1);
  if (!last) throw new Error('the provider got no request');
  return { ...last, count };
}

/** What the provider itself answers to a request. */
async function askProvider(path: string, body: string): Promise<string> {
  const headers = { 'content-type': 'application/json', authorization: 'Bearer sk-sim' };
  return (await fetch(simulatorUrl + path, { method: 'POST', headers, body })).text();
}

describe.each(Object.entries(apis))('%s', (_, api) => {
  it('answers the provider’s bytes; the receipt is of them, and of its usage', async () => {
    const unknown = { x_unknown: { nested: [1, '2'] }, metadata: { a: 'b' } };
    const response = await post(api.path, { model: 'plain', ...api.body, ...unknown });
    const bytes = Buffer.from(await response.arrayBuffer());
    const { body } = await lastRequest();
    expect(JSON.parse(body)).toEqual({ model: models.plain, ...api.body, ...unknown });
    expect(bytes.toString('utf8')).toBe(await askProvider(api.path, body));

    const { receipt, signed } = receiptOf(response.headers.get('x-autopay-receipt'));
    const answer = JSON.parse(bytes.toString('utf8')) as { usage: Record<string, number> };
    const completion = answer.usage['output_tokens'] ?? answer.usage['completion_tokens'] ?? 0;
    expect(receipt.usage).toMatchObject({ completion, reasoning: 0 });
    expect(receipt.usage.prompt).toBeGreaterThan(3);
    expect(receipt).toMatchObject({ usageKind: 'exact', modelAsked: 'plain', modelServed: 'sim-small' });
    expect(receipt.responseCommitment).toBe(toHex(commit({ subject: 'response', salt: signed.responseSalt, bytes })));
    expect(paid()).toBe(receipt.amount);
    expect(response.headers.get('x-autopay-cost')).toBe(String(receipt.amount));
  });

  it('is read by the unmodified client', async () => {
    const { path } = api;
    const text = await api.whole('plain');
    const { body } = await lastRequest();
    expect(text.length).toBeGreaterThan(10);
    expect(await seen[0]?.text).toBe(await askProvider(path, body));
  });

  it('costs at most its quote, which is told with 402', async () => {
    const unpaid = await post(api.path, { model: 'plain', ...api.body }, {});
    expect(unpaid.status).toBe(402);
    const quote = BigInt(unpaid.headers.get('toy-payment-required') ?? '0');
    await post(api.path, { model: 'plain', ...api.body }).then((response) => response.text());
    expect(paid()).toBeGreaterThan(0n);
    expect(paid()).toBeLessThanOrEqual(quote);
  });

  it('is charged nothing where the provider refuses, whose words are told', async () => {
    const refused: unknown = await api.whole('refusing').catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 429, message: expect.stringContaining('Simulated fault') as unknown });
    expect(seen[0]?.headers.get('retry-after')).toBe('7');
    expect(paid()).toBe(0n);
  });

  it('is estimated, and marked so, where the provider gives no usage', async () => {
    await api.whole('unmetered');
    const { receipt } = receiptOf(seen[0]?.headers.get('x-autopay-receipt'));
    expect(receipt.usageKind).toBe('estimated');
    expect(receipt.usage.prompt).toBeGreaterThan(3);
    expect(paid()).toBe(receipt.amount);
  });

  it('is answered once for one payment', async () => {
    const headers = payByToy(payer, (nonce += 1), 9_000_000n);
    const answers = await Promise.all(
      [1, 2, 3].map(async () => (await post(api.path, { model: 'plain', ...api.body }, headers)).text()),
    );
    expect(new Set(answers).size).toBe(1);
    const charged = paid();
    expect(await (await post(api.path, { model: 'plain', ...api.body }, headers)).text()).toBe(answers[0]);
    expect(paid()).toBe(charged);
  });

  it('is the provider’s business only where it is known to have it', async () => {
    const refused = await post(api.path, { model: 'chat-only', ...api.body });
    expect(refused.status).toBe(404);
    expect(await refused.text()).toContain(`does not answer at ${api.path}, but at /v1/chat/completions`);
  });
});

describe.each(streaming)('%s, streamed', (_, api) => {
  const streamed = (model: string) => api.streamed?.(model) ?? Promise.reject(new Error('it is not streamed'));

  it('passes every event; the receipt is a comment by its end, over what was sent', async () => {
    expect(await streamed('plain')).toBe(await api.whole('plain'));
    const text = (await seen[0]?.text) ?? '';
    const comment = /^: autopay-receipt (\S+)\n\n/m.exec(text);
    const { receipt, signed } = receiptOf(comment?.[1]);
    const before = text.slice(0, comment?.index);
    expect(before.lastIndexOf(api.end) > 0).toBe(api.endsBeforeReceipt);
    expect(text.lastIndexOf(api.end)).toBeGreaterThan(0);
    const committed = commit({ subject: 'response', salt: signed.responseSalt, bytes: Buffer.from(before) });
    expect(receipt.responseCommitment).toBe(toHex(committed));
    const whole = receiptOf(seen[1]?.headers.get('x-autopay-receipt')).receipt;
    expect(receipt).toMatchObject({ usage: whole.usage, usageKind: 'exact', amount: whole.amount });
    expect(paid()).toBe(2n * receipt.amount);
  });

  it('sends the provider’s bytes, but for the usage that nobody asked for', async () => {
    const response = await post(api.path, { model: 'plain', ...api.body, stream: true });
    const text = await response.text();
    const { body } = await lastRequest();
    const theirs = await askProvider(api.path, body);
    const shown = text.replace(/^: autopay-receipt .*\n\n/m, '');
    if (api.endsBeforeReceipt) expect(shown).toBe(theirs);
    else
      expect(shown).toBe(
        theirs.replaceAll(',"usage":null', '').replace(/data: \{[^\n]*"choices":\[\],"usage"[^\n]*\n\n/, ''),
      );
  });

  it.each(['cut', 'failing'])('ends in an error that the client raises, and charges nothing: %s', async (model) => {
    const failure: unknown = await streamed(model).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    const response = await post(api.path, { model, ...api.body, stream: true });
    const text = await readBroken(response);
    expect(text).toMatch(
      api.path === '/v1/completions' ? /\ndata: \{"error":\{.*\n\n$/ : /\nevent: error\ndata: \{"type":"error",.*\n\n$/,
    );
    expect(text).not.toContain(api.end);
    expect(paid()).toBe(0n);
  });

  it('is charged in full when its client goes', async () => {
    const leaving = new AbortController();
    const headers = { 'content-type': 'application/json', ...payByToy(payer, (nonce += 1), 9_000_000n) };
    const body = JSON.stringify({ model: 'slow', ...api.body, stream: true });
    const response = await fetch(relay.url + api.path, { method: 'POST', headers, body, signal: leaving.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    leaving.abort();
    await expect.poll(paid, { timeout: 4_000 }).toBeGreaterThan(0n);
    const callId = response.headers.get('x-autopay-call-id');
    const signed = await relay.ledger.getSignedReceipt(callId ?? '');
    if (!signed) throw new Error('the call has no receipt');
    expect(decodeReceipt(signed.entry)).toMatchObject({ usageKind: 'exact', usage: { completion: 30 } });
  });

  it('is repeated with the same bytes', async () => {
    const headers = payByToy(payer, (nonce += 1), 9_000_000n);
    const body = { model: 'plain', ...api.body, stream: true };
    const first = await (await post(api.path, body, headers)).text();
    const second = await post(api.path, body, headers);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect(await second.text()).toBe(first);
  });
});

/** What came of a stream until its connection broke; rejects if it ended regularly. */
async function readBroken(response: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  try {
    for await (const piece of response.body ?? []) text += decoder.decode(piece as Uint8Array, { stream: true });
  } catch {
    return text;
  }
  throw new Error('the stream ended as a whole one');
}

describe('a provider with Anthropic’s own API', () => {
  it('gets its key and version, and nothing of the client’s headers', async () => {
    await anthropic().messages.create(
      { model: 'plain', messages, max_tokens: 9 },
      { headers: { 'anthropic-beta': 'x' } },
    );
    const { headers } = await lastRequest();
    expect(headers).toMatchObject({ 'x-api-key': '[redacted]', 'anthropic-version': '2023-06-01' });
    expect(headers).not.toHaveProperty('authorization');
    expect(headers).not.toHaveProperty('anthropic-beta');
    await openai().completions.create({ model: 'plain', prompt: 'x' });
    expect((await lastRequest()).headers).not.toHaveProperty('x-api-key');
  });

  it('has its errors in its own shape', async () => {
    const unknown: unknown = await anthropic()
      .messages.create({ model: 'nobody', messages, max_tokens: 9 })
      .catch((error: unknown) => error);
    expect(unknown).toBeInstanceOf(Anthropic.NotFoundError);
    expect(unknown).toMatchObject({
      error: { type: 'error', error: { type: 'not_found_error', code: 'model_not_found' } },
    });
    const unpaid = await post('/v1/messages', { model: 'plain', messages, max_tokens: 9 }, {});
    expect(await unpaid.json()).toMatchObject({
      type: 'error',
      error: { type: 'billing_error', code: 'payment_required' },
    });
  });
});

it('what is not there is refused with what is', async () => {
  for (const path of ['/v1/images/generations', '/v1/messages/count_tokens', '/v1/responses/resp_1']) {
    const refused = await post(path, {});
    expect(refused.status).toBe(404);
    const all = '/v1/chat/completions, /v1/responses, /v1/completions, /v1/embeddings, /v1/messages';
    expect(await refused.text()).toContain(`There is no POST ${path}. Calls go to POST ${all}.`);
  }
});
