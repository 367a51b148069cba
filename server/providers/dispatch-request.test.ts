import { once } from 'node:events';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'undici';
import { afterEach, expect, test } from 'vitest';
import type { UpstreamResponse } from '../call/transport.ts';
import { dispatchRequest } from './dispatch-request.ts';

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n';

/** A provider that answers each request by hand, and the requests that are sent to it. */
async function serve(answer: (socket: Socket, request: number) => void) {
  let requests = 0;
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', () => answer(socket, (requests += 1)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const agent = new Agent({ connections: 1, pipelining: 1 });
  stops.push(() => agent.destroy());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    sockets,
    requests: () => requests,
    send: (signal = new AbortController().signal): Promise<UpstreamResponse> =>
      dispatchRequest(agent, { origin, path: '/', method: 'POST', body: '{}' }, signal),
  };
}

async function readAll({ body }: UpstreamResponse): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** Resolves when the last of them has closed. */
async function closingOf(sockets: readonly Socket[]): Promise<void> {
  const socket = sockets.at(-1);
  if (socket && !socket.closed) await once(socket, 'close');
}

const next = ({ body }: UpstreamResponse) => body[Symbol.asyncIterator]().next();

test('reads whole answers, one after another on one connection', async () => {
  const { requests, send, sockets } = await serve((socket, request) => {
    socket.write(
      `HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${head}x-n: ${request}\r\nx-n: 9\r\ncontent-length: 4\r\n\r\nab`,
    );
    setTimeout(() => socket.write('cd'), 5);
  });
  for (const request of [1, 2, 3]) {
    const answer = await send();
    expect(answer).toMatchObject({ status: 200, headers: { 'x-n': String(request), 'content-type': 'text/plain' } });
    expect(await readAll(answer)).toBe('abcd');
    expect(await next(answer)).toEqual({ done: true, value: undefined });
    answer.destroy();
  }
  expect(requests()).toBe(3);
  expect(sockets).toHaveLength(1);
});

test('what comes in one piece of the network is read as one', async () => {
  const { send } = await serve((socket) =>
    socket.write(`${head}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n`),
  );
  const answer = await send();
  expect(Buffer.from((await next(answer)).value ?? '').toString()).toBe('abc');
  expect((await next(answer)).done).toBe(true);
});

test('all ways to pay are told', async () => {
  const { send } = await serve((socket) =>
    socket.write('HTTP/1.1 402 Pay\r\nwww-authenticate: A x=1\r\nwww-authenticate: B y=2\r\ncontent-length: 0\r\n\r\n'),
  );
  const answer = await send();
  expect(answer).toMatchObject({ status: 402, headers: { 'www-authenticate': 'A x=1, B y=2' } });
  expect(await readAll(answer)).toBe('');
});

test('a body that is not read is held back, and comes whole when it is', async () => {
  const length = 20_000_000;
  const { send, sockets } = await serve((socket) => {
    socket.write(`${head}content-length: ${length}\r\n\r\n`);
    for (let sent = 0; sent < length; sent += 100_000) socket.write(Buffer.alloc(100_000, sent / 100_000));
  });
  const answer = await send();
  await sleep(200);
  expect(sockets[0]?.writableLength).toBeGreaterThan(1_000_000);
  let read = 0;
  for await (const piece of answer.body) {
    for (const [index, byte] of [piece.at(0), piece.at(-1)].entries()) {
      const at = index === 0 ? read : read + piece.length - 1;
      expect(byte).toBe(Math.floor(at / 100_000) % 256);
    }
    read += piece.length;
  }
  expect(read).toBe(length);
});

test('what came before the connection broke is read before that is told', async () => {
  const { send } = await serve((socket) => {
    socket.write(`${head}content-length: 10\r\n\r\nabcde`);
    socket.end();
  });
  const answer = await send();
  await sleep(50);
  expect(Buffer.from((await next(answer)).value ?? '').toString()).toBe('abcde');
  await expect(next(answer)).rejects.toMatchObject({ failure: 'truncated' });
});

test('leaving an answer closes its connection, and nothing of it is taken for whole', async () => {
  const { send, sockets } = await serve((socket) => socket.write(`${head}content-length: 10\r\n\r\nabcde`));
  for (const leave of [
    (answer: UpstreamResponse) => Promise.resolve(answer.destroy()),
    async (answer: UpstreamResponse) => {
      for await (const piece of answer.body) if (piece.length > 0) break;
    },
  ]) {
    const answer = await send();
    const closed = closingOf(sockets);
    await leave(answer);
    await closed;
    await expect(next(answer)).rejects.toMatchObject({ failure: 'truncated' });
    answer.destroy();
  }
  expect(sockets).toHaveLength(2);
});

test('one that has come whole is lost when it is left unread, but its connection is not', async () => {
  const { send, sockets } = await serve((socket) => socket.write(`${head}content-length: 5\r\n\r\nabcde`));
  const answer = await send();
  answer.destroy();
  await expect(next(answer)).rejects.toMatchObject({ failure: 'truncated' });
  expect(await readAll(await send())).toBe('abcde');
  expect(sockets).toHaveLength(1);
});

test('the signal ends it at once: before it is sent, while it waits, before its head, within its body', async () => {
  const { requests, send, sockets } = await serve((socket, request) => {
    if (request > 1) socket.write(`${head}content-length: 10\r\n\r\nabcde`);
  });
  for (const signal of [AbortSignal.abort(), AbortSignal.abort(null)]) {
    await expect(send(signal)).rejects.toMatchObject({ failure: 'aborted' });
  }
  const [first, waiting] = [new AbortController(), new AbortController()];
  const headless = send(first.signal);
  await expect.poll(requests).toBe(1);
  const queued = send(waiting.signal);
  waiting.abort();
  await expect(queued).rejects.toMatchObject({ failure: 'aborted' });
  first.abort();
  await expect(headless).rejects.toMatchObject({ failure: 'aborted' });
  const third = new AbortController();
  const answer = await send(third.signal);
  // Neither the one that never began nor the one that was given up while it waited.
  expect(requests()).toBe(2);
  const closed = closingOf(sockets);
  await next(answer);
  const reading = next(answer);
  third.abort();
  await expect(reading).rejects.toMatchObject({ failure: 'aborted' });
  await closed;
});

test('the same holds over HTTP/2, which a provider may choose', async () => {
  const length = 2_000_000;
  const streams: ServerHttp2Stream[] = [];
  const server = createHttp2Server();
  server.on('stream', (stream, { ':path': path }) => {
    streams.push(stream.on('error', () => undefined));
    if (path === '/silent') return;
    stream.additionalHeaders({ ':status': 103, link: 'x' });
    stream.respond({ ':status': 200, 'x-n': '1' });
    if (path === '/long') stream.end(Buffer.alloc(length));
    else stream.write('abcde');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(() => server.close());
  const agent = new Agent({ connections: 1, h2Options: { useH2c: true } });
  stops.push(() => agent.destroy());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const send = (path: string, signal = new AbortController().signal) =>
    dispatchRequest(agent, { origin, path, method: 'POST', body: '{}' }, signal);

  const broken = await send('/');
  expect(broken).toMatchObject({ status: 200, headers: { 'x-n': '1' } });
  expect(Buffer.from((await next(broken)).value ?? '').toString()).toBe('abcde');
  streams.at(-1)?.destroy(new Error('broken'));
  await expect(next(broken)).rejects.toMatchObject({ failure: 'truncated' });
  const leaving = new AbortController();
  const silent = send('/silent', leaving.signal);
  await expect.poll(() => streams.length).toBe(2);
  leaving.abort();
  await expect(silent).rejects.toMatchObject({ failure: 'aborted' });
  expect((await readAll(await send('/long'))).length).toBe(length);
});
