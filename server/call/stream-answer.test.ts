import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createTransport } from '../providers/openai-compatible.ts';
import { makeResponse, makeStream, streamEvents } from './call-fixtures.ts';
import { EmptyAnswer, UnusableAnswer } from './router.ts';
import { StreamAnswer } from './stream-answer.ts';
import type { UpstreamResponse } from './transport.ts';
import { BrokenStream, StreamMeter } from './stream-meter.ts';

const options = { maxBytes: 10_000, showUsage: false, choices: 1 };

function open(response: UpstreamResponse, changes: Partial<typeof options> = {}): Promise<StreamAnswer> {
  const { maxBytes, ...rest } = { ...options, ...changes };
  return StreamAnswer.open(response, { maxBytes, meter: new StreamMeter(rest) });
}
const whole = streamEvents.join('');
/** What the client sees of `streamEvents`, up to [DONE]. */
const shown = streamEvents.slice(0, 3).join('').replaceAll(',"usage":null', '');

async function readAll(answer: StreamAnswer): Promise<string> {
  const pieces: Buffer[] = [];
  for (let bytes = await answer.next(); bytes !== null; bytes = await answer.next()) pieces.push(bytes);
  return Buffer.concat(pieces).toString('utf8');
}

async function read(pieces: readonly (string | Uint8Array)[], changes: Partial<typeof options> = {}): Promise<string> {
  return readAll(await open(makeStream(pieces), changes));
}

test('the network’s chunks make no difference', async () => {
  const bytes = Buffer.from(whole);
  expect(await read([whole])).toBe(shown);
  expect(await read(streamEvents)).toBe(shown);
  expect(await read([...bytes].map((byte) => Uint8Array.of(byte)))).toBe(shown);
});

test('lines that end with CRLF or CR are the same stream', async () => {
  for (const lineEnd of ['\r\n', '\r']) {
    const bytes = Buffer.from(whole.replaceAll('\n', lineEnd));
    expect(await read([bytes])).toBe(shown);
    expect(await read([...bytes].map((byte) => Uint8Array.of(byte)))).toBe(shown);
  }
});

test('a last event without its empty line counts', async () => {
  for (const cut of [1, 2]) expect(await read([whole.slice(0, -cut)])).toBe(shown);
});

test('without [DONE] it is whole if every choice has finished, else truncated', async () => {
  const cut = streamEvents.slice(0, 3);
  expect(await read(cut)).toBe(shown);
  await expect(read(cut, { choices: 2 })).rejects.toMatchObject({ failure: 'truncated' });
  await expect(read(streamEvents.slice(0, 2))).rejects.toMatchObject({ failure: 'truncated' });
});

test('what follows [DONE] is not for the client', async () => {
  expect(await read([`${whole}data: {"late":true}\n\n`, 'data: {"later":true}\n\n'])).toBe(shown);
});

test('a stream is only opened with a chunk that is one', async () => {
  for (const pieces of [[], [': ping\n\n'], ['event: x\n\n']]) {
    await expect(read(pieces)).rejects.toMatchObject({ failure: 'truncated' });
  }
  await expect(read(['data: {"error":{"message":"busy"}}\n\n'])).rejects.toThrow(UnusableAnswer);
  await expect(read(['data: {"choices"\n\n'])).rejects.toThrow(UnusableAnswer);
  const html = makeResponse(['<html>'], { headers: { 'content-type': 'text/html' } });
  await expect(open(html)).rejects.toThrow(UnusableAnswer);
});

test('a stream in which nothing is chosen is none, as in JSON; what stands before a first choice goes on', async () => {
  const [usage, done] = [
    'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":0}}\n\n',
    'data: [DONE]\n\n',
  ];
  const filter = 'data: {"choices":[],"prompt_filter_results":[]}\n\n';
  for (const pieces of [[done], [usage, done], [filter + usage + done]]) {
    await expect(read(pieces)).rejects.toThrow(EmptyAnswer);
  }
  expect(await read([filter, ...streamEvents])).toBe(filter + shown);
  await expect(read([filter])).rejects.toMatchObject({ failure: 'truncated' });
});

test('what came before a broken chunk goes on', async () => {
  const answer = await open(makeStream([`${streamEvents[0]}${streamEvents[1]}data: {\n\n`]));
  expect((await answer.next())?.toString('utf8')).toBe(shown.slice(0, shown.indexOf('data', shown.indexOf('Hello'))));
  await expect(answer.next()).rejects.toThrow(BrokenStream);
});

test('an event that the connection’s end cuts is no broken chunk, but a truncated stream', async () => {
  const cut = [...streamEvents.slice(0, 2), 'data: {"choices":[{"ind'];
  await expect(read(cut)).rejects.toMatchObject({ failure: 'truncated' });
  expect(await read([...streamEvents.slice(0, 3), 'data: {"choices":[],"usa'])).toBe(shown);
});

test('it is bounded, as a whole and by the event', async () => {
  await expect(read(streamEvents, { maxBytes: whole.length - 1 })).rejects.toMatchObject({ failure: 'too_long' });
  expect(await read(streamEvents, { maxBytes: whole.length })).toBe(shown);
  const huge = ['data: "', 'x'.repeat(1_048_576)];
  await expect(read(huge, { maxBytes: 9_000_000 })).rejects.toMatchObject({ failure: 'too_long' });
  const endless = makeStream(huge);
  await open(endless, { maxBytes: 9_000_000 });
  expect(endless.destroyed).toBe(true);
});

test('what fits its bound is there, however much comes at once', async () => {
  const maxBytes = streamEvents.slice(0, 2).join('').length + 5;
  for (const pieces of [[whole], streamEvents, [...whole]]) {
    const answer = await open(makeStream(pieces), { maxBytes });
    const read: Buffer[] = [];
    const reading = async () => {
      for (let bytes = await answer.next(); bytes !== null; bytes = await answer.next()) read.push(bytes);
    };
    await expect(reading()).rejects.toMatchObject({ failure: 'too_long' });
    expect(Buffer.concat(read).toString()).toBe(streamEvents.slice(0, 2).join('').replaceAll(',"usage":null', ''));
  }
  expect(await read([`${whole}data: {"late":true}\n\n`], { maxBytes: whole.length })).toBe(shown);
});

test('its connection serves the next stream', async () => {
  let connections = 0;
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(whole);
    // The end of the body comes after [DONE] by itself.
    setTimeout(() => response.end(), 5);
  });
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const timeouts = { connectTimeoutMs: 1000, headersTimeoutMs: 1000, idleTimeoutMs: 1000 };
  const transport = createTransport({ providers: [{ name: 'p', baseUrl }], maxConnections: 1, ...timeouts });
  for (let i = 0; i < 5; i += 1) {
    const deployment = { id: 'p@x', provider: 'p', model: 'm' };
    const signal = new AbortController().signal;
    const path = '/v1/chat/completions';
    const response = await transport.send({ deployment, path, body: Buffer.from('{}'), stream: true, signal });
    const answer = await open(response);
    expect(await readAll(answer)).toBe(shown);
    await answer.finish();
  }
  expect(connections).toBe(1);
  await transport.close();
  server.closeAllConnections();
  server.close();
});

test('an event may be as long as its API has them', async () => {
  const long = `data: {"choices":[{"index":0,"delta":{"content":"${'x'.repeat(1_048_576)}"}}]}\n\n`;
  const openLong = (bounds: { maxEventBytes?: number }) =>
    StreamAnswer.open(makeStream([long, 'data: [DONE]\n\n']), {
      ...{ maxBytes: 3_000_000, meter: new StreamMeter({ showUsage: false }) },
      ...bounds,
    });
  await expect(openLong({}).then(readAll)).rejects.toMatchObject({ failure: 'too_long' });
  expect(await readAll(await openLong({ maxEventBytes: 3_000_000 }))).toBe(long);
});
