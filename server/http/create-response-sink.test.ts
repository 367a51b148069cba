import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import type { ResponseSink } from '../call/types.ts';
import { createResponseSink } from './create-response-sink.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** One request over a plain socket, so that the test sees the bytes as they come and reads when it likes. */
async function open(version = '1.1'): Promise<{ sink: ResponseSink; socket: Socket }> {
  const sinks = Promise.withResolvers<ResponseSink>();
  server = createServer((_, response) => sinks.resolve(createResponseSink(response, 'call-1')));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`GET / HTTP/${version}\r\nhost: x\r\n\r\n`);
  return { sink: await sinks.promise, socket };
}

const stream = { 'content-type': 'text/event-stream' };

it('sends the head of a stream at once, and each write by itself', async () => {
  const { sink, socket } = await open();
  expect(sink.started).toBe(false);
  sink.start(200, stream);
  expect(sink.started).toBe(true);
  const [head] = (await once(socket, 'data')) as [Buffer];
  expect(head.toString()).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\n$/);
  for (const piece of ['data: 1\n\n', 'data: 2\n\n']) {
    await sink.write(Buffer.from(piece));
    const [got] = (await once(socket, 'data')) as [Buffer];
    expect(got.toString()).toContain(piece);
  }
  sink.end(Buffer.from('last'));
  const [last] = (await once(socket, 'data')) as [Buffer];
  expect(last.toString()).toMatch(/last\r\n0\r\n\r\n$/);
  expect(sink.closed).toBe(false);
});

it('names its call first, or the one whose answer is given again', async () => {
  for (const [again, named] of [
    [{}, 'call-1'],
    [{ 'x-autopay-call-id': 'call-0' }, 'call-0'],
  ] as const) {
    const { sink, socket } = await open();
    sink.start(200, { 'content-length': '2', ...again });
    sink.end(Buffer.from('ok'));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    const head = `HTTP/1.1 200 OK\r\nx-autopay-call-id: ${named}\r\ncontent-length: 2\r\n`;
    expect(answer.toString().startsWith(head)).toBe(true);
    server?.closeAllConnections();
    server?.close();
  }
});

it('sends what is there with the head', async () => {
  const { sink, socket } = await open();
  sink.start(200, stream);
  // Of no length: not the end.
  expect(sink.write(Buffer.alloc(0))).toBeUndefined();
  void sink.write(Buffer.from('data: 1\n\n'));
  const [first] = (await once(socket, 'data')) as [Buffer];
  expect(first.toString()).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\n9\r\ndata: 1\n\n\r\n$/);
  sink.end();
  const [last] = (await once(socket, 'data')) as [Buffer];
  expect(last.toString()).toBe('0\r\n\r\n');
});

it('frames nothing for a client that knows no chunks', async () => {
  const { sink, socket } = await open('1.0');
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  sink.start(200, stream);
  void sink.write(Buffer.from('data: 1\n\n'));
  sink.end(Buffer.from('last'));
  await once(socket, 'close');
  expect(Buffer.concat(pieces).toString()).toMatch(/\r\n\r\ndata: 1\n\nlast$/);
});

it('keeps the connection for the next answer, though that was asked for, and begun, before this one', async () => {
  const { sink, socket } = await open();
  const sinks = Promise.withResolvers<ResponseSink>();
  server?.on('request', (_, response) => sinks.resolve(createResponseSink(response, 'call-1')));
  let got = '';
  socket.on('data', (piece: Buffer) => (got += piece.toString()));
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  const second = await sinks.promise;
  second.start(200, stream);
  void second.write(Buffer.from('data: 2\n\n'));
  sink.start(200, stream);
  await sink.write(Buffer.from('data: 1\n\n'));
  sink.end();
  second.end(Buffer.from('last'));
  const [first, next] = ['9\r\ndata: 1\n\n\r\n0\r\n\r\n', '9\r\ndata: 2\n\n\r\n4\r\nlast\r\n0\r\n\r\n'];
  const head = String.raw`HTTP/1\.1 200 OK\r\n(?:[^\r]+\r\n)+\r\n`;
  await expect.poll(() => got).toMatch(new RegExp(`^${head}${first}${head}${next}$`));
});

it('ends a body byte for byte, short or long, and the end of a stream', async () => {
  // Every byte, so also what is not UTF-8.
  const body = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  for (const [length, headers] of [
    [256, { 'content-length': '256' }],
    [100_000, { 'content-length': '100000' }],
    [256, stream],
  ] as const) {
    const { sink, socket } = await open();
    const sent = Buffer.alloc(length, body);
    sink.start(200, headers);
    if (headers === stream) await once(socket, 'data');
    sink.end(sent);
    let got = Buffer.alloc(0);
    while (!got.includes(sent)) got = Buffer.concat([got, ...((await once(socket, 'data')) as [Buffer])]);
    const tail = headers === stream ? Buffer.from('\r\n0\r\n\r\n') : Buffer.alloc(0);
    expect(got.subarray(-length - tail.length)).toEqual(Buffer.concat([sent, tail]));
    socket.destroy();
    server?.close();
  }
});

it('waits for a slow client, and goes on when it reads again', async () => {
  const { sink, socket } = await open();
  socket.pause();
  sink.start(200, stream);
  const piece = Buffer.alloc(1 << 20);
  let written = 0;
  const writing = (async () => {
    for (; written < 64; written += 1) await sink.write(piece);
  })();
  await sleep(300);
  expect(written).toBeLessThan(64);
  socket.resume();
  await writing;
  expect(written).toBe(64);
});

it('lets a writer go on, and tells once, when the client leaves', async () => {
  const { sink, socket } = await open();
  let told = 0;
  sink.onClose(() => (told += 1));
  socket.pause();
  sink.start(200, stream);
  const stuck = sink.write(Buffer.alloc(64 << 20));
  await sleep(50);
  socket.destroy();
  await stuck;
  expect([sink.closed, told]).toEqual([true, 1]);
  sink.onClose(() => (told += 1));
  expect(told).toBe(2);
  await sink.write(Buffer.from('more'));
  sink.end();
  sink.destroy();
});

it('breaks off after what was written, without the end of the chunked coding', async () => {
  const { sink, socket } = await open();
  let told = 0;
  sink.onClose(() => (told += 1));
  let got = '';
  socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
  sink.start(200, stream);
  void sink.write(Buffer.from('data: {"error":{}}\n\n'));
  sink.destroy();
  await once(socket, 'close');
  expect(got).toContain('data: {"error":{}}\n\n');
  expect(got).not.toMatch(/\r\n0\r\n\r\n$/);
  expect([sink.closed, told]).toEqual([true, 0]);
});
