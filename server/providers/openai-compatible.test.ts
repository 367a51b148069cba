import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { readBytes } from '../call/read-json-answer.ts';
import { TransportError, type Transport, type UpstreamRequest, type UpstreamResponse } from '../call/transport.ts';
import { createTransport, type Provider, type ProviderTransport } from './openai-compatible.ts';

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function serve(listener: RequestListener): Promise<{ server: Server; baseUrl: string }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { server, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` };
}

function connect(provider: Partial<Provider>, timeoutMs = 300): ProviderTransport {
  const transport = createTransport({
    providers: [{ name: 'p', baseUrl: 'http://127.0.0.1:9/v1', ...provider }],
    connectTimeoutMs: 300,
    headersTimeoutMs: timeoutMs,
    idleTimeoutMs: timeoutMs,
    // One, so that a connection that is not kept shows as a second one.
    maxConnections: 1,
  });
  stops.push(() => transport.close());
  return transport;
}

function send(transport: Transport, changes: Partial<UpstreamRequest> = {}): Promise<UpstreamResponse> {
  return transport.send({
    deployment: { id: 'p@x', provider: 'p', model: 'm' },
    path: '/v1/chat/completions',
    body: Buffer.from('{"a":1}'),
    stream: false,
    signal: new AbortController().signal,
    ...changes,
  });
}

test('posts the body with the provider’s key, and keeps the connection', async () => {
  const seen: unknown[] = [];
  let connections = 0;
  const { server, baseUrl } = await serve((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { accept, authorization, 'accept-encoding': encoding, 'content-type': type } = request.headers;
      seen.push({ method: request.method, url: request.url, body, accept, authorization, encoding, type });
      response.setHeader('X-Twice', ['1', '2']).end('{"ok":true}');
    });
  });
  server.on('connection', () => (connections += 1));
  const transport = connect({ baseUrl: `${baseUrl}/`, apiKey: 'sk-1' });
  for (const stream of [false, true]) {
    const response = await send(transport, { stream });
    expect(response).toMatchObject({ status: 200, headers: { 'x-twice': '1' } });
    expect((await readBytes(response.body, 100)).toString()).toBe('{"ok":true}');
  }
  const common = {
    method: 'POST',
    url: '/v1/chat/completions',
    body: '{"a":1}',
    authorization: 'Bearer sk-1',
    encoding: 'identity',
    type: 'application/json',
  };
  expect(seen).toEqual([
    { ...common, accept: 'application/json' },
    { ...common, accept: 'text/event-stream' },
  ]);
  expect(connections).toBe(1);
});

test('sends no authorization without a key, and follows no redirect', async () => {
  let requests = 0;
  const { baseUrl } = await serve((request, response) => {
    requests += 1;
    expect(request.headers.authorization).toBeUndefined();
    response.writeHead(307, { location: '/elsewhere' }).end();
  });
  expect(await send(connect({ baseUrl }))).toMatchObject({ status: 307 });
  expect(requests).toBe(1);
});

test('says what failed', async () => {
  await expect(send(connect({}))).rejects.toMatchObject({ failure: 'unreachable' });
  await expect(send(connect({ name: 'other' }))).rejects.toMatchObject({ failure: 'unreachable' });
  await expect(send(connect({ baseUrl: 'http://nowhere.invalid/v1' }))).rejects.toMatchObject({
    failure: 'unreachable',
  });
  const reset = await serve((request) => request.socket.resetAndDestroy());
  await expect(send(connect({ baseUrl: reset.baseUrl }))).rejects.toMatchObject({ failure: 'unreachable' });
  const silent = await serve(() => undefined);
  await expect(send(connect({ baseUrl: silent.baseUrl }))).rejects.toMatchObject({ failure: 'timeout' });
  const signal = AbortSignal.timeout(50);
  await expect(send(connect({ baseUrl: silent.baseUrl }), { signal })).rejects.toMatchObject({ failure: 'aborted' });
});

test('a request may have time-outs of its own, and say itself what its end means', async () => {
  const silent = await serve(() => undefined);
  // Its own would outlast the test.
  const transport = connect({ baseUrl: silent.baseUrl }, 600_000);
  await expect(send(transport, { timeouts: { headersMs: 40 } })).rejects.toMatchObject({ failure: 'timeout' });
  const late = new AbortController();
  setTimeout(() => late.abort(new TransportError('timeout', 'too late')), 20);
  await expect(send(transport, { signal: late.signal })).rejects.toMatchObject({ failure: 'timeout' });
  const stalled = await serve((_, response) => void response.writeHead(200, { 'content-length': '10' }).write('12345'));
  const answer = await send(connect({ baseUrl: stalled.baseUrl }, 600_000), { timeouts: { idleMs: 40 } });
  await expect(readBytes(answer.body, 100)).rejects.toMatchObject({ failure: 'timeout' });
});

test('a probe asks for the models, with the key, and says whether it was welcome', async () => {
  const seen: unknown[] = [];
  let status = 200;
  const { baseUrl } = await serve((request, response) => {
    seen.push([request.method, request.url, request.headers.authorization]);
    response.writeHead(status).end('{}');
  });
  const transport = connect({ baseUrl, apiKey: 'sk-1' });
  const deployment = { id: 'p@x', provider: 'p', model: 'm' };
  expect(await transport.probe(deployment)).toBe(true);
  status = 401;
  expect(await transport.probe(deployment)).toBe(false);
  expect(seen).toEqual(Array(2).fill(['GET', '/v1/models', 'Bearer sk-1']));
  expect(await connect({}).probe(deployment)).toBe(false);
  expect(await transport.probe({ ...deployment, id: 'q@x', provider: 'q' })).toBe(false);
});

test('says what failed within the body', async () => {
  const cut = await serve((_, response) => {
    response.writeHead(200, { 'content-length': '10' }).write('12345');
    setTimeout(() => response.destroy(), 20);
  });
  const cutAnswer = await send(connect({ baseUrl: cut.baseUrl }));
  await expect(readBytes(cutAnswer.body, 100)).rejects.toMatchObject({ failure: 'truncated' });

  const stalled = await serve((_, response) => void response.writeHead(200, { 'content-length': '10' }).write('12345'));
  const stalledAnswer = await send(connect({ baseUrl: stalled.baseUrl }));
  await expect(readBytes(stalledAnswer.body, 100)).rejects.toMatchObject({ failure: 'timeout' });

  const controller = new AbortController();
  const aborted = await send(connect({ baseUrl: stalled.baseUrl }), { signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  await expect(readBytes(aborted.body, 100)).rejects.toMatchObject({ failure: 'aborted' });
});

test('a body beyond the bound is given up, and its connection closed', async () => {
  let closed = 0;
  const { baseUrl } = await serve((request, response) => {
    request.socket.on('close', () => (closed += 1));
    const writing = setInterval(() => response.write('x'.repeat(1000)), 5);
    response.on('close', () => clearInterval(writing));
  });
  const response = await send(connect({ baseUrl }));
  await expect(readBytes(response.body, 3_500)).rejects.toMatchObject({ failure: 'too_long' });
  await expect.poll(() => closed).toBe(1);
});

test('an answer that is not read is given up by destroying it, and the connection is free again', async () => {
  const { baseUrl } = await serve((_, response) => {
    response.writeHead(200, { 'content-length': '5000000' }).write('x'.repeat(300_000));
  });
  const transport = connect({ baseUrl });
  for (let i = 0; i < 3; i += 1) (await send(transport)).destroy();
  const read = await send(transport);
  expect(await read.body[Symbol.asyncIterator]().next()).toMatchObject({ done: false });
  read.destroy();
});

test('a request that waits for a connection can be given up', async () => {
  const { baseUrl } = await serve(() => undefined);
  const transport = connect({ baseUrl });
  const first = send(transport).catch((error: unknown) => error);
  const started = performance.now();
  const signal = AbortSignal.timeout(50);
  await expect(send(transport, { signal })).rejects.toMatchObject({ failure: 'aborted' });
  expect(performance.now() - started).toBeLessThan(200);
  expect(await first).toMatchObject({ failure: 'timeout' });
});
