import { createParser } from 'eventsource-parser';
import { afterEach, expect, test } from 'vitest';
import type { Simulator, SimulatorOptions } from './create-simulator.ts';
import { createSimulator } from './create-simulator.ts';

let simulator: Simulator | undefined;
afterEach(async () => {
  await simulator?.close();
  simulator = undefined;
});

async function start(options: SimulatorOptions = {}): Promise<string> {
  simulator = createSimulator(options);
  return simulator.listen(0);
}

const MESSAGES = [{ role: 'user', content: 'hi' }];

function ask(url: string, model: string, fields: object = {}, init: RequestInit = {}): Promise<Response> {
  const body = JSON.stringify({ model, messages: MESSAGES, ...fields });
  return fetch(`${url}/v1/chat/completions`, { method: 'POST', body, ...init });
}

/** Reads a body to its end or its failure; what came is kept either way. */
async function drain(response: Response): Promise<{ text: string; failed: boolean }> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of response.body!) text += decoder.decode(chunk as Uint8Array, { stream: true });
    return { text, failed: false };
  } catch {
    return { text, failed: true };
  }
}

function readEvents(text: string): string[] {
  const events: string[] = [];
  createParser({ onEvent: (event) => events.push(event.data) }).feed(text);
  return events;
}

interface Log {
  count: number;
  requests: { sequence: number; outcome: string; status: number; body: string; headers: Record<string, string> }[];
}

async function readLog(url: string): Promise<Log> {
  return (await (await fetch(`${url}/sim/requests`)).json()) as Log;
}

test('a stream is framed as server-sent events, also in drips of five bytes', async () => {
  const url = await start();
  const plain = await (await ask(url, 'sim-a', { stream: true })).text();
  const events = readEvents(plain);
  expect(events.at(-1)).toBe('[DONE]');
  const contents = (all: string[]) =>
    all.slice(0, -1).map((data) => (JSON.parse(data) as { choices: [{ delta: unknown }] }).choices[0].delta);
  expect(contents(events)[0]).toEqual({ role: 'assistant', content: '', refusal: null });
  expect(plain).toBe(events.map((data) => `data: ${data}\n\n`).join(''));
  const dripped = await drain(await ask(url, 'sim-a?fault=slow-drip:0', { stream: true }));
  expect(dripped.failed).toBe(false);
  expect(contents(readEvents(dripped.text))).toEqual(contents(events));
});

test('content types', async () => {
  const url = await start();
  const type = async (model: string, fields: object) => {
    const response = await ask(url, model, fields);
    await response.arrayBuffer();
    return response.headers.get('content-type');
  };
  expect(await type('sim-a', {})).toBe('application/json');
  expect(await type('sim-a', { stream: true })).toBe('text/event-stream; charset=utf-8');
  expect(await type('sim-a?fault=wrong-content-type', { stream: true })).toBe('text/plain; charset=utf-8');
});

test('latency comes before the headers, tokens at their pace', async () => {
  const url = await start();
  const startedMs = performance.now();
  const response = await ask(url, 'sim-a?latency=120&tps=50&tokens=10', { stream: true });
  const headersMs = performance.now() - startedMs;
  await response.text();
  const totalMs = performance.now() - startedMs;
  expect(headersMs).toBeGreaterThanOrEqual(115);
  expect(headersMs).toBeLessThan(300);
  expect(totalMs - headersMs).toBeGreaterThanOrEqual(190);
  const jsonStartedMs = performance.now();
  await ask(url, 'sim-a?tps=50&tokens=10');
  expect(performance.now() - jsonStartedMs).toBeGreaterThanOrEqual(190);
});

test('events of a paced stream arrive one by one', async () => {
  const url = await start();
  const response = await ask(url, 'sim-a?tps=40&tokens=5', { stream: true });
  const arrivals: number[] = [];
  for await (const chunk of response.body!) arrivals.push((chunk as Uint8Array).length);
  expect(arrivals.length).toBeGreaterThanOrEqual(5);
});

test('cut-after drops the connection after exactly so many events', async () => {
  const url = await start();
  const { text, failed } = await drain(await ask(url, 'sim-a?fault=cut-after:3', { stream: true }));
  expect(failed).toBe(true);
  expect(readEvents(text)).toHaveLength(3);
  const json = await drain(await ask(url, 'sim-a?fault=cut-after:30'));
  expect([json.text.length, json.failed]).toEqual([30, true]);
});

test('cut-before-first sends headers and nothing more', async () => {
  const url = await start();
  for (const stream of [true, false]) {
    const response = await ask(url, 'sim-a?fault=cut-before-first', { stream });
    expect(response.status).toBe(200);
    expect(await drain(response)).toEqual({ text: '', failed: true });
  }
});

test('stall-after sends so many events and keeps the connection open', async () => {
  const url = await start();
  const client = new AbortController();
  const response = await ask(url, 'sim-a?fault=stall-after:2', { stream: true }, { signal: client.signal });
  const reading = drain(response);
  const timer = setTimeout(() => client.abort(), 200);
  const { text, failed } = await reading;
  clearTimeout(timer);
  expect(failed && client.signal.aborted).toBe(true);
  expect(readEvents(text)).toHaveLength(2);
  await expect.poll(async () => (await readLog(url)).requests[0]?.outcome).toBe('client-gone');
});

test('no-usage, no-done, empty', async () => {
  const url = await start();
  const options = { stream: true, stream_options: { include_usage: true } };
  expect(await (await ask(url, 'sim-a', options)).text()).toContain('"usage":{');
  expect(await (await ask(url, 'sim-a?fault=no-usage', options)).text()).not.toContain('usage');
  expect(await (await ask(url, 'sim-a?fault=no-usage')).json()).not.toHaveProperty('usage');
  expect(await (await ask(url, 'sim-a?fault=no-done', options)).text()).not.toContain('[DONE]');
  for (const stream of [true, false]) {
    const response = await ask(url, 'sim-a?fault=empty', { stream });
    expect([response.status, await response.text()]).toEqual([200, '']);
  }
});

test('status faults may carry retry-after in every form, and a code', async () => {
  const url = await start();
  const asDate = await ask(url, 'sim-a?fault=status:429&retryAfterDate=60', {});
  const waitMs = Date.parse(asDate.headers.get('retry-after') ?? '') - Date.now();
  expect(waitMs).toBeGreaterThan(57_000);
  expect(waitMs).toBeLessThanOrEqual(60_000);
  const inMs = await ask(url, 'sim-a?fault=status:400&retryAfterMs=250&code=context_length_exceeded', {});
  expect(inMs.headers.get('retry-after-ms')).toBe('250');
  expect(await inMs.json()).toMatchObject({ error: { code: 'context_length_exceeded' } });
});

test('a model that flaps fails so often, and then answers once', async () => {
  const url = await start();
  const statuses: number[] = [];
  for (let i = 0; i < 6; i += 1) statuses.push((await ask(url, 'sim-a?fault=status:500&flap=2', {})).status);
  expect(statuses).toEqual([500, 500, 200, 500, 500, 200]);
  expect((await ask(url, 'sim-b?fault=status:500&flap=2', {})).status).toBe(500);
});

test('status faults may carry retry-after', async () => {
  const response = await ask(await start(), 'sim-a?fault=status:429&retryAfter=7', { stream: true });
  expect([response.status, response.headers.get('retry-after')]).toEqual([429, '7']);
});

test('a barrier holds requests until all have arrived', async () => {
  const url = await start();
  let answered = 0;
  const first = ask(url, 'sim-a?barrier=gate:2').then((response) => {
    answered += 1;
    return response;
  });
  await expect.poll(async () => (await readLog(url)).requests[0]?.outcome).toBe('open');
  expect(answered).toBe(0);
  const both = await Promise.all([first, ask(url, 'sim-a', {}, { headers: { 'x-sim': 'barrier=gate:2' } })]);
  expect(both.map((response) => response.status)).toEqual([200, 200]);
});

test('a barrier that too few reach is a 504', async () => {
  const response = await ask(await start({ barrierTimeoutMs: 30 }), 'sim-a?barrier=gate:2');
  expect(response.status).toBe(504);
  expect(await response.json()).toMatchObject({ error: { code: 'sim_barrier_timeout', type: 'server_error' } });
});

test('the log shows what was sent, and how it ended', async () => {
  const url = await start();
  await (await ask(url, 'sim-a', {}, { headers: { authorization: 'Bearer secret', 'x-trace': '1' } })).text();
  await drain(await ask(url, 'sim-a?fault=cut-after:1', { stream: true }));
  await (await ask(url, 'gpt-4o')).text();
  const client = new AbortController();
  const gone = ask(url, 'sim-a?latency=60000', {}, { signal: client.signal }).catch((error: unknown) => error);
  await expect.poll(async () => (await readLog(url)).count).toBe(4);
  client.abort();
  await gone;
  await expect.poll(async () => (await readLog(url)).requests.at(-1)?.outcome).toBe('client-gone');
  const { requests } = await readLog(url);
  expect(requests.map(({ outcome, status }) => [outcome, status])).toEqual([
    ['answered', 200],
    ['fault', 200],
    ['answered', 404],
    ['client-gone', 0],
  ]);
  expect(JSON.parse(requests[0]!.body)).toEqual({ model: 'sim-a', messages: MESSAGES });
  expect(requests[0]!.headers).toMatchObject({ authorization: '[redacted]', 'x-trace': '1' });
  expect(await (await fetch(`${url}/sim/requests`, { method: 'DELETE' })).json()).toEqual({ count: 0, requests: [] });
});

test('a client that leaves mid-stream is seen', async () => {
  const url = await start();
  const client = new AbortController();
  const response = await ask(url, 'sim-a?tps=20&tokens=1000', { stream: true }, { signal: client.signal });
  await response.body!.getReader().read();
  client.abort();
  await expect.poll(async () => (await readLog(url)).requests[0]?.outcome).toBe('client-gone');
});

test('a slow reader of a paced stream gets the bytes of an unpaced one', async () => {
  const url = await start();
  const whole = await (await ask(url, 'sim-a?tokens=20000', { stream: true })).text();
  const response = await ask(url, 'sim-a?tokens=20000', { stream: true }, { headers: { 'x-sim': 'tps=1000000' } });
  await new Promise((resolve) => setTimeout(resolve, 200));
  const { text, failed } = await drain(response);
  expect(failed).toBe(false);
  expect(text === whole && whole.length > 1_000_000).toBe(true);
});

test('what hangs is dropped in the end', async () => {
  const url = await start({ maxResponseMs: 50 });
  await expect(ask(url, 'sim-a?fault=hang-headers')).rejects.toThrow('fetch failed');
  expect((await drain(await ask(url, 'sim-a?fault=stall-after:1', { stream: true }))).failed).toBe(true);
  expect((await readLog(url)).requests.map(({ outcome }) => outcome)).toEqual(['fault', 'fault']);
});

test('the same body with another header has another answer', async () => {
  const url = await start();
  const spent = async (header: string) => {
    const response = await ask(url, 'sim-a', {}, { headers: { 'x-sim': header } });
    return ((await response.json()) as { usage: { completion_tokens: number } }).usage.completion_tokens;
  };
  expect([await spent('tokens=5'), await spent('tokens=6'), await spent('tokens=5')]).toEqual([5, 6, 5]);
});

test('created follows from the request, or from the clock', async () => {
  const created = async (url: string) => ((await (await ask(url, 'sim-a')).json()) as { created: number }).created;
  const fixed = await start();
  expect(await created(fixed)).toBe(await created(fixed));
  await simulator!.close();
  let nowMs = 1_800_000_000_999;
  const clocked = await start({ nowMs: () => nowMs });
  expect(await created(clocked)).toBe(1_800_000_000);
  nowMs += 5_000;
  expect(await created(clocked)).toBe(1_800_000_005);
});

test.each<[string, string, RequestInit, number, string | null]>([
  ['bad JSON', '/v1/chat/completions', { method: 'POST', body: '{' }, 400, null],
  ['no body', '/v1/chat/completions', { method: 'POST' }, 400, null],
  ['a long body', '/v1/chat/completions', { method: 'POST', body: 'x'.repeat(2_000) }, 413, 'request_too_large'],
  ['GET on completions', '/v1/chat/completions', {}, 405, 'method_not_supported'],
  ['POST on models', '/v1/models', { method: 'POST' }, 405, 'method_not_supported'],
  ['an unknown path', '/v1/images/generations', { method: 'POST' }, 404, 'unknown_url'],
  ['a broken escape', '/v1/models/%E0%A4%A', {}, 404, 'model_not_found'],
])('%s is an error in OpenAI’s shape', async (_, path, init, status, code) => {
  const response = await fetch((await start({ maxBodyBytes: 1_000 })) + path, init);
  expect(response.status).toBe(status);
  expect(await response.json()).toEqual({
    error: { message: expect.any(String), type: 'invalid_request_error', param: null, code },
  });
});

test('health and help need no key', async () => {
  const url = await start({ apiKey: 'k' });
  expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'ok', simulated: true });
  const help = (await (await fetch(`${url}/sim/help`)).json()) as { faults: object; directives: object };
  expect(Object.keys(help.faults)).toContain('cut-after');
  expect((await fetch(`${url}/v1/models`)).status).toBe(401);
});

test('a taken port is an error', async () => {
  const url = await start();
  const other = createSimulator();
  await expect(other.listen(Number(new URL(url).port))).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('close drops hanging connections', async () => {
  const url = await start();
  const hanging = ask(url, 'sim-a?fault=hang-headers').catch((error: unknown) => error);
  await expect.poll(async () => (await readLog(url)).count).toBe(1);
  await simulator!.close();
  expect(await hanging).toBeInstanceOf(Error);
});
