import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commit } from '../../protocol/receipt/commitments.ts';
import { toHex } from '../../protocol/bytes/hex.ts';
import { createTransport } from '../providers/openai-compatible.ts';
import { createSimulator, type Simulator } from '../../simulator/create-simulator.ts';
import { createRouter } from '../routing/create-router.ts';
import { clock, FakeLedger, limits, makeCallDeps, makeRequest, makeRoute, MemorySink } from './call-fixtures.ts';
import { handleCall } from './handle-call.ts';
import type { Transport } from './transport.ts';
import type { CallDeps, CallRequest } from './types.ts';

/** The life of a call against the simulated provider, over real connections. */

let simulator: Simulator;
let url: string;
let transport: Transport & { close(): Promise<void> };

beforeAll(async () => {
  simulator = createSimulator({ apiKey: 'sk-simulated' });
  url = await simulator.listen(0);
  transport = createTransport({
    providers: [{ name: 'simulated', baseUrl: `${url}/v1/`, apiKey: 'sk-simulated' }],
    connectTimeoutMs: 2_000,
    headersTimeoutMs: 400,
    idleTimeoutMs: 400,
    maxConnections: 64,
  });
});

afterAll(async () => {
  await transport.close();
  await simulator.close();
});

type DepsOptions = Omit<Parameters<typeof makeCallDeps>[0], 'router'> & { transport: Transport };

function makeDeps({ transport, ...rest }: DepsOptions): ReturnType<typeof makeCallDeps> {
  return makeCallDeps({ ...rest, router: createRouter({ transport, clock }) });
}

interface Ran {
  sink: MemorySink;
  ledger: FakeLedger;
  error: unknown;
}

interface RunOptions {
  body?: object;
  /** Upstream models, with the simulator's directives; one deployment each. */
  models?: string[];
  sink?: MemorySink;
  limits?: Partial<CallDeps['limits']>;
  payment?: Partial<CallRequest['payment']>;
}

async function run(options: RunOptions): Promise<Ran> {
  const { models = ['sim-small'], sink = new MemorySink() } = options;
  const deployments = models.map((model, index) => ({ id: `simulated@${index}`, provider: 'simulated', model }));
  const ledger = new FakeLedger();
  const deps = makeDeps({
    ledger,
    transport,
    route: makeRoute({ deployments }),
    limits: { ...limits, ...options.limits },
  });
  const body = { model: 'small', messages: [{ role: 'user', content: 'Tell me a story.' }], ...options.body };
  let error: unknown;
  await handleCall(deps, makeRequest(body, options.payment), sink).catch((thrown: unknown) => {
    error = thrown;
  });
  return { sink, ledger, error };
}

function runStream(options: RunOptions): Promise<Ran> {
  return run({ ...options, body: { stream: true, ...options.body } });
}

/** Every `data:` of a stream, parsed. */
function chunksOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice('data: '.length)) as Record<string, unknown>);
}

function contentOf(text: string, choice = 0): string {
  return chunksOf(text)
    .flatMap((chunk) => (chunk['choices'] ?? []) as { index: number; delta: { content?: string } }[])
    .filter(({ index }) => index === choice)
    .map(({ delta }) => delta.content ?? '')
    .join('');
}

/** What the simulator says without a relay. */
async function askDirectly(body: object): Promise<string> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk-simulated', 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.text();
}

const closing = /: autopay-receipt [A-Za-z0-9+/=]+\n\ndata: \[DONE\]\n\n$/;

function expectReleased({ ledger }: Ran, reason: string, outcomes: string[]): void {
  expect(ledger.charged).toEqual([]);
  expect(ledger.released).toMatchObject([{ reason, attempts: outcomes.map((outcome) => ({ outcome })) }]);
}

function expectBrokenOff(ran: Ran, code: string): void {
  expect(ran.error).toBeUndefined();
  expect(ran.sink.status).toBe(200);
  expect(ran.sink.text).toMatch(/data: {"error":{[^\n]*}}\n\n$/);
  expect(chunksOf(ran.sink.text).at(-1)).toMatchObject({ error: { code } });
  expect(ran.sink.text).not.toContain('[DONE]');
  expect(ran.sink.destroyed).toBe(true);
}

/** Receipt comment, error event, broken connection; charged by an estimate of the part that was read. */
function expectChargedPart(ran: Ran, { code, tokens }: { code: string; tokens: number }): void {
  expectBrokenOff(ran, code);
  expect(ran.sink.text).toMatch(/: autopay-receipt [A-Za-z0-9+/=]+\n\ndata: {"error":{[^\n]*}}\n\n$/);
  expect(ran.ledger.released).toEqual([]);
  const [charge] = ran.ledger.charged;
  expect(charge?.attempts).toMatchObject([{ outcome: 'aborted', usageKind: 'estimated' }]);
  expect(charge?.receipt.usageKind).toBe('estimated');
  const { usage } = charge?.receipt ?? {};
  const delivered = chunksOf(ran.sink.text).length - 1;
  expect(usage?.prompt).toBeGreaterThan(3);
  expect(usage?.completion).toBeGreaterThan(delivered / 2);
  expect(usage?.completion).toBeLessThan(tokens);
  expect(charge?.metered).toBe(BigInt(usage?.prompt ?? 0) + 2n * BigInt(usage?.completion ?? 0));
  const before = ran.sink.text.slice(0, ran.sink.text.indexOf(': autopay-receipt'));
  const salt = charge?.responseSalt ?? Buffer.alloc(0);
  const commitment = commit({ subject: 'response', salt, bytes: Buffer.from(before) });
  expect(charge?.receipt.responseCommitment).toBe(toHex(commitment));
}

describe('whole answers', () => {
  test('JSON goes through as the exact bytes that came', async () => {
    const { sink, ledger } = await run({});
    const charge = ledger.charged[0];
    expect(sink.status).toBe(200);
    const direct = await askDirectly({
      model: 'sim-small',
      messages: [{ role: 'user', content: 'Tell me a story.' }],
      max_completion_tokens: 4096,
    });
    expect(sink.text).toBe(direct);
    const { usage } = JSON.parse(direct) as { usage: { prompt_tokens: number; completion_tokens: number } };
    expect(charge?.receipt.usage).toMatchObject({ prompt: usage.prompt_tokens, completion: usage.completion_tokens });
    expect(charge?.metered).toBe(BigInt(usage.prompt_tokens + 2 * usage.completion_tokens));
  });

  test('a stream goes through event by event, the usage hidden from who did not ask', async () => {
    const { sink, ledger } = await runStream({ models: ['sim-small?tokens=20'] });
    expect(sink.text).toMatch(closing);
    expect(sink.text).not.toContain('usage');
    const charge = ledger.charged[0];
    expect(charge?.receipt).toMatchObject({ usageKind: 'exact', usage: { completion: 20 } });
    const before = sink.text.slice(0, sink.text.indexOf(': autopay-receipt'));
    const commitment = commit({
      subject: 'response',
      salt: charge?.responseSalt ?? Buffer.alloc(0),
      bytes: Buffer.from(before),
    });
    expect(charge?.receipt.responseCommitment).toBe(toHex(commitment));
    expect(contentOf(sink.text)).toContain('[simulated]');
  });

  test('who asked for usage gets it', async () => {
    const { sink } = await runStream({ body: { stream_options: { include_usage: true } } });
    const chunks = chunksOf(sink.text);
    expect(chunks[0]).toMatchObject({ usage: null });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: expect.any(Number) } });
  });

  test('several choices are metered together', async () => {
    const { sink, ledger } = await runStream({ body: { n: 3 }, models: ['sim-small?tokens=10'] });
    expect(ledger.charged[0]?.receipt.usage.completion).toBe(30);
    for (const choice of [0, 1, 2]) expect(contentOf(sink.text, choice).length).toBeGreaterThan(10);
  });

  test('events leave while the stream is still going on', async () => {
    const sink = new MemorySink();
    const times: number[] = [];
    sink.onWrite = () => times.push(performance.now());
    await runStream({ models: ['sim-small?tokens=20&tps=100'], sink });
    const first = times[0] ?? 0;
    expect(times.length).toBeGreaterThan(10);
    expect((times.at(-1) ?? 0) - first).toBeGreaterThan(120);
  });

  test('characters and events that are split over TCP chunks stay whole', async () => {
    const body = { messages: [{ role: 'user', content: 'Grüße an 世界 🙂🙂🙂' }] };
    const [dripped, direct] = await Promise.all([
      runStream({ body, models: ['sim-small?fault=slow-drip:0&tokens=15'] }),
      runStream({ body, models: ['sim-small?tokens=15'] }),
    ]);
    expect(dripped.sink.text).toMatch(closing);
    expect(chunksOf(dripped.sink.text).length).toBe(chunksOf(direct.sink.text).length);
    expect(contentOf(dripped.sink.text)).not.toContain('\ufffd');
  });

  test('a stream without [DONE] is whole once every choice has finished', async () => {
    const { sink, ledger } = await runStream({ models: ['sim-small?fault=no-done'] });
    expect(sink.text).toMatch(closing);
    expect(ledger.charged[0]?.receipt.usageKind).toBe('exact');
  });

  test('without usage it is estimated near the truth', async () => {
    for (const stream of [true, false]) {
      const exact = await run({ body: { stream }, models: ['sim-small?tokens=50'] });
      const { sink, ledger } = await run({ body: { stream }, models: ['sim-small?tokens=50&fault=no-usage'] });
      expect(sink.ended).toBe(true);
      const truth = exact.ledger.charged[0]?.receipt.usage;
      const guess = ledger.charged[0]?.receipt;
      expect(guess?.usageKind).toBe('estimated');
      expect(Math.abs((guess?.usage.prompt ?? 0) - (truth?.prompt ?? 0))).toBeLessThan(4);
      expect(Math.abs((guess?.usage.completion ?? 0) - (truth?.completion ?? 0))).toBeLessThan(4);
    }
  });

  test('the wrong content type of a JSON body is mended', async () => {
    const { sink } = await run({ models: ['sim-small?fault=wrong-content-type'] });
    expect(sink.headers['content-type']).toBe('application/json');
    expect(JSON.parse(sink.text)).toMatchObject({ object: 'chat.completion' });
  });
});

describe('failures before the first byte fail over', () => {
  const faults: [string, string, string][] = [
    ['status:500', 'refused', 'upstream_error'],
    ['status:429', 'refused', 'upstream_error'],
    ['refuse', 'unreachable', 'upstream_unreachable'],
    ['hang-headers', 'timeout', 'upstream_timeout'],
    ['cut-before-first', 'truncated', 'upstream_truncated'],
    ['cut-after:0', 'truncated', 'upstream_truncated'],
    ['empty', 'truncated', 'upstream_truncated'],
    ['stall-after:0', 'timeout', 'upstream_timeout'],
  ];

  test.each(faults)('%s', async (fault, outcome, reason) => {
    const broken = `sim-small?fault=${fault}`;
    const mended = await runStream({ models: [broken, 'sim-small'] });
    expect(mended.sink.text).toMatch(closing);
    expect(mended.ledger.charged[0]?.attempts).toMatchObject([
      { outcome, number: 1 },
      { outcome: 'ok', number: 2 },
    ]);
    expect(mended.ledger.charged[0]?.receipt.deployment).toBe('simulated@1');
    const alone = await runStream({ models: [broken] });
    expectReleased(alone, reason, [outcome]);
    expect(alone.sink.text).not.toContain('data:');
  });

  test.each(['empty', 'malformed-chunk', 'cut-after:20', 'stall-after:20'])('of JSON: %s', async (fault) => {
    const ran = await run({ models: [`sim-small?fault=${fault}`, 'sim-large'] });
    expect(JSON.parse(ran.sink.text)).toMatchObject({ model: 'sim-large' });
    expect(ran.ledger.charged[0]?.attempts).toHaveLength(2);
    const alone = await run({ models: [`sim-small?fault=${fault}`] });
    expect(alone.sink.events).toEqual([]);
    expect(alone.error).toMatchObject({ code: expect.stringMatching(/^upstream_/) });
    expect(alone.ledger.charged).toEqual([]);
  });

  test('a stream of the wrong content type', async () => {
    const ran = await runStream({ models: ['sim-small?fault=wrong-content-type'] });
    expectReleased(ran, 'upstream_error', ['refused']);
    expect(ran.error).toMatchObject({ code: 'upstream_error', status: 502 });
  });

  test('a request that is wrong is not tried elsewhere', async () => {
    const ran = await run({ body: { temperature: 'hot' }, models: ['sim-small?fault=status:400', 'sim-small'] });
    expect(ran.error).toMatchObject({ status: 400, refusal: { error: { message: expect.any(String) } } });
    expectReleased(ran, 'upstream_error', ['refused']);
  });

  test('the relay’s key being refused there is not the client’s fault', async () => {
    for (const status of [401, 403]) {
      const ran = await run({ models: [`sim-small?fault=status:${status}`] });
      expect(ran.sink.events).toEqual([]);
      expect(ran.error).toMatchObject({ code: 'upstream_error', status: 502 });
      expectReleased(ran, 'upstream_error', ['refused']);
    }
  });

  test('retry-after passes on', async () => {
    const ran = await run({ models: ['sim-small?fault=status:429&retryAfter=3'] });
    expect(ran.error).toMatchObject({ status: 429, headers: { 'retry-after': '3' } });
  });
});

describe('failures after the first byte end in an error event and a broken connection, uncharged', () => {
  test.each([
    ['cut-after:5', 'upstream_truncated', 'truncated'],
    ['stall-after:5', 'upstream_timeout', 'timeout'],
    ['malformed-chunk', 'upstream_error', 'refused'],
  ])('%s', async (fault, code, outcome) => {
    const ran = await runStream({ models: [`sim-small?tps=200&fault=${fault}`, 'sim-small'] });
    expectBrokenOff(ran, code);
    expectReleased(ran, code, [outcome]);
    expect(chunksOf(ran.sink.text).length).toBeGreaterThanOrEqual(fault === 'malformed-chunk' ? 2 : 5);
  });

  test('an error event of the provider is passed on as its words', async () => {
    const ran = await runStream({ models: ['sim-small?tps=200&fault=error-after:4'] });
    expect(chunksOf(ran.sink.text).at(-1)).toMatchObject({ error: { message: expect.stringContaining('mid-stream') } });
    expect(ran.sink.destroyed).toBe(true);
    expectReleased(ran, 'upstream_error', ['refused']);
  });

  test('the upstream is left when its stream is broken', async () => {
    await fetch(`${url}/sim/requests`, { method: 'DELETE' });
    await runStream({ models: ['sim-small?fault=malformed-chunk&tps=20&tokens=200'] });
    const outcome = async (): Promise<unknown> => {
      const log = (await (await fetch(`${url}/sim/requests`)).json()) as { requests: { outcome: string }[] };
      return log.requests[0]?.outcome;
    };
    await expect.poll(outcome).toBe('client-gone');
  });
});

describe('an answer that ends at one of the relay’s limits is charged for what was read of it', () => {
  test('a stream beyond the bound of bytes', async () => {
    const models = ['sim-small?tps=500&tokens=100', 'sim-small'];
    const ran = await runStream({ models, limits: { maxResponseBytes: 3_000 } });
    expectChargedPart(ran, { code: 'answer_too_long', tokens: 100 });
  });

  test('a stream beyond the time of a call', async () => {
    const models = ['sim-small?tps=50&tokens=100', 'sim-small'];
    const ran = await runStream({ models, limits: { callTimeoutMs: 300 } });
    expectChargedPart(ran, { code: 'call_timeout', tokens: 100 });
  });

  test('JSON beyond the bound of bytes: once, with the receipt among the headers of the error', async () => {
    await fetch(`${url}/sim/requests`, { method: 'DELETE' });
    const models = ['sim-small?tokens=400', 'sim-small?tokens=400'];
    const { error, ledger, sink } = await run({ models, limits: { maxResponseBytes: 900 } });
    expect(error).toMatchObject({ code: 'answer_too_long', headers: { 'x-autopay-receipt': expect.any(String) } });
    expect(sink.events).toEqual([]);
    expect(ledger.charged[0]?.receipt.usage.completion).toBeGreaterThan(50);
    expect(ledger.charged[0]?.attempts).toMatchObject([{ outcome: 'aborted', usageKind: 'estimated' }]);
    expect(ledger.released).toEqual([]);
    const log = (await (await fetch(`${url}/sim/requests`)).json()) as { requests: unknown[] };
    expect(log.requests).toHaveLength(1);
  });
});

describe('a client that goes', () => {
  test('mid-stream is charged exactly: the upstream is read to its usage', async () => {
    const sink = new MemorySink();
    sink.onWrite = () => sink.leave();
    const { ledger } = await runStream({ models: ['sim-small?tps=200&tokens=40'], sink });
    expect(sink.writes).toHaveLength(1);
    expect(ledger.charged[0]?.receipt).toMatchObject({ usageKind: 'exact', usage: { completion: 40 } });
    expect(ledger.released).toEqual([]);
  });

  test('while JSON is generated is charged exactly', async () => {
    const sink = new MemorySink();
    setTimeout(() => sink.leave(), 20);
    const { ledger } = await run({ models: ['sim-small?latency=100&tokens=40'], sink });
    expect(sink.events).toEqual([]);
    expect(ledger.charged[0]?.receipt.usage.completion).toBe(40);
  });

  test.each([100, 0])(
    'is charged for what was read if the usage does not come within %i ms; the upstream is left',
    async (drainTimeoutMs) => {
      await fetch(`${url}/sim/requests`, { method: 'DELETE' });
      const sink = new MemorySink();
      let seen = 0;
      sink.onWrite = () => {
        seen += 1;
        if (seen === 20) sink.leave();
      };
      const ran = await runStream({ models: ['sim-small?tps=50&tokens=100'], sink, limits: { drainTimeoutMs } });
      expect(ran.error).toBeUndefined();
      expect(ran.ledger.released).toEqual([]);
      const [charge] = ran.ledger.charged;
      expect(charge?.receipt.usageKind).toBe('estimated');
      expect(charge?.receipt.usage.completion).toBeGreaterThan(10);
      expect(charge?.receipt.usage.completion).toBeLessThan(100);
      const outcome = async (): Promise<unknown> => {
        const log = (await (await fetch(`${url}/sim/requests`)).json()) as { requests: { outcome: string }[] };
        return log.requests[0]?.outcome;
      };
      await expect.poll(outcome).toBe('client-gone');
    },
  );

  test('gets no second attempt', async () => {
    const sink = new MemorySink();
    setTimeout(() => sink.leave(), 20);
    const ran = await runStream({ models: ['sim-small?fault=hang-headers', 'sim-small'], sink });
    expectReleased(ran, 'client_gone', ['timeout']);
    expect(ran.error).toBeUndefined();
  });

  test('or reads nothing more counts as gone, and is charged', async () => {
    const sink = new MemorySink();
    sink.onWrite = () => {
      sink.blocked = new Promise(() => undefined);
    };
    const started = performance.now();
    const { ledger } = await runStream({
      models: ['sim-small?tokens=40&tps=400'],
      sink,
      limits: { idleTimeoutMs: 50 },
    });
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(sink.destroyed).toBe(true);
    expect(ledger.charged[0]?.receipt.usage.completion).toBe(40);
  });

  test('or reads so slowly that the call’s time is up is charged', async () => {
    const sink = new MemorySink();
    sink.onWrite = () => {
      sink.blocked = sleep(400);
    };
    const options = { models: ['sim-small?tokens=40&tps=400'], sink, limits: { callTimeoutMs: 100 } };
    const { ledger } = await runStream(options);
    expect(sink.destroyed).toBe(true);
    expect(ledger.charged[0]?.receipt.usage.completion).toBe(40);
  });
});

test('what goes upstream: the client’s bytes, the relay’s key, nothing of the client’s headers', async () => {
  await fetch(`${url}/sim/requests`, { method: 'DELETE' });
  await run({ body: { messages: [{ role: 'user', content: 'unique' }], max_completion_tokens: 5, seed: 1 } });
  const log = (await (await fetch(`${url}/sim/requests`)).json()) as { requests: { body: string; headers: object }[] };
  expect(log.requests).toHaveLength(1);
  const [seen] = log.requests;
  expect(seen?.body).toBe(
    '{"model":"sim-small","messages":[{"role":"user","content":"unique"}],"max_completion_tokens":5,"seed":1}',
  );
  expect(Object.keys(seen?.headers ?? {}).sort()).toEqual([
    'accept',
    'accept-encoding',
    'authorization',
    'connection',
    'content-length',
    'content-type',
    'host',
  ]);
});

test('an upstream that keeps its stream open after [DONE] is left, and holds nothing up', async () => {
  const patient = createTransport({
    providers: [{ name: 'simulated', baseUrl: `${url}/v1`, apiKey: 'sk-simulated' }],
    connectTimeoutMs: 20_000,
    headersTimeoutMs: 20_000,
    idleTimeoutMs: 20_000,
    maxConnections: 1,
  });
  await fetch(`${url}/sim/requests`, { method: 'DELETE' });
  const endless = { id: 'simulated@local', provider: 'simulated', model: 'sim-small?fault=stall-after:100000' };
  const sink = new MemorySink();
  const body = { model: 'small', messages: [{ role: 'user', content: 'Hi' }], stream: true };
  const started = performance.now();
  const deps = makeDeps({ transport: patient, route: makeRoute({ deployments: [endless] }) });
  await handleCall(deps, makeRequest(body), sink);
  expect(sink.text).toMatch(closing);
  expect(performance.now() - started).toBeLessThan(900);
  const outcome = async (): Promise<unknown> => {
    const log = (await (await fetch(`${url}/sim/requests`)).json()) as { requests: { outcome: string }[] };
    return log.requests[0]?.outcome;
  };
  expect(await outcome()).toBe('open');
  await expect.poll(outcome, { timeout: 5_000 }).not.toBe('open');
  await patient.close();
});

test('a stream that was relayed leaves its connection to the next call', async () => {
  const only = createTransport({
    providers: [{ name: 'simulated', baseUrl: `${url}/v1`, apiKey: 'sk-simulated' }],
    connectTimeoutMs: 2_000,
    headersTimeoutMs: 2_000,
    idleTimeoutMs: 2_000,
    maxConnections: 1,
  });
  const body = { model: 'small', messages: [{ role: 'user', content: 'Hi' }], stream: true };
  // Paced, so that [DONE] and the end of the body are not one piece of the network.
  const paced = { id: 'simulated@local', provider: 'simulated', model: 'sim-small?tokens=5&tps=500' };
  const route = makeRoute({ deployments: [paced] });
  for (let i = 0; i < 3; i += 1) {
    const sink = new MemorySink();
    await handleCall(makeDeps({ transport: only, route }), makeRequest(body), sink);
    expect(sink.text).toMatch(closing);
  }
  await only.close();
});
