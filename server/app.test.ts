import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { cidOfBlock } from '../protocol/log/batch-block.ts';
import { createApp, type AppDeps } from './app.ts';
import { CallError } from './call/call-error.ts';
import type { CallRequest } from './call/types.ts';
import { createCallGate } from './http/call-gate.ts';
import { listen, type Listening } from './http/listen.ts';
import type { Log } from './log.ts';
import { createFreeMethod } from './payments/free/free-method.ts';
import type { PaymentMethod } from './payments/payment-method.ts';

const open: Listening[] = [];
afterEach(async () => {
  for (const { server } of open.splice(0)) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
});

/** A toy method that refuses every `Payment` and always has a challenge. */
const toy: PaymentMethod = {
  name: 'toy',
  carries: ({ authorization }) => authorization?.startsWith('Payment') === true,
  admit: ({ headers }) => {
    if (!headers['authorization']?.startsWith('Payment')) return Promise.resolve(undefined);
    return Promise.reject(new AutoPayError('malformed_credential', 'Not like that.'));
  },
  challenge: ({ quotes }) => ({
    offers: 1,
    headers: () => ({ 'WWW-Authenticate': 'Payment id="t"' }),
    facts: { quote: String(quotes?.get('0x01')) },
  }),
  finish: () => Promise.resolve({ headers: {}, events: '' }),
};
const block = Buffer.from('a block');
const cid = cidOfBlock(block).toString();

/** The HTTP side alone: the life of a call is what each test makes it. */
async function start(changes: Partial<AppDeps> = {}) {
  const logged: unknown[] = [];
  const write = (facts: object) => void logged.push(facts);
  const log = { fatal: write, error: write, warn: write, info: write, debug: write } as Log;
  const gate = changes.gate ?? createCallGate(10);
  const app = createApp({
    gate,
    payments: [toy, createFreeMethod()],
    handleCall: (request, sink) => {
      sink.start(200, { 'content-type': 'application/json' });
      sink.end(request.body);
      return Promise.resolve();
    },
    quotesOf: () => new Map([['0x01', 7n]]),
    maxBodyBytes: 1000,
    log,
    models: () => ({ object: 'list', data: [], price_root: '0x00', tokens: [] }),
    health: () => ({ relay: '0x01' }),
    ledger: {
      getPayment: () => Promise.resolve(undefined),
      listLosses: () => Promise.resolve([]),
      forgivePayment: () => Promise.resolve(),
    },
    blocks: { get: (asked) => Promise.resolve(asked.toString() === cid ? block : undefined) },
    runJob: (name) => Promise.resolve({ ran: name }),
    operatorToken: 'secret',
    ...changes,
  });
  const listening = await listen(app, { host: '127.0.0.1', port: 0 });
  open.push(listening);
  const { url } = listening;
  const json = { 'content-type': 'application/json' };
  return {
    url,
    port: Number(new URL(url).port),
    logged,
    gate,
    call: (body: string | Buffer<ArrayBuffer> = '{}', headers: Record<string, string> = {}) =>
      fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { ...json, ...headers }, body }),
  };
}

async function codeOf(response: Response) {
  const { error } = (await response.json()) as { error: { code: string } };
  return { status: response.status, code: error.code };
}

describe('a call', () => {
  it('reaches its life with the exact bytes, the admission, and the id that the answer carries', async () => {
    const calls: CallRequest[] = [];
    const { call } = await start({
      handleCall: (request, sink) => {
        calls.push(request);
        sink.start(200, {});
        sink.end();
        return Promise.resolve();
      },
    });
    const body = Buffer.from([0x7b, 0x20, 0xc3, 0xa9, 0x0a, 0x7d]);
    const response = await call(body, { 'content-type': 'Application/JSON; charset=utf-8' });
    expect(calls[0]?.body.equals(body)).toBe(true);
    expect(calls[0]?.callId).toBe(response.headers.get('x-autopay-call-id'));
    expect(calls[0]).toMatchObject({ path: '/v1/chat/completions', payment: { funds: null, channel: null } });
  });

  it.each(['?api-version=1', '?'])('with a query (%s) is the same call', async (query) => {
    const { url } = await start();
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${url}/v1/chat/completions${query}`, { method: 'POST', headers, body: '{}' });
    expect([response.status, await response.text()]).toEqual([200, '{}']);
  });

  it.each<[string, string | Buffer<ArrayBuffer>, Record<string, string>, number, string]>([
    ['without a content type', Buffer.from('{}'), { 'content-type': '' }, 415, 'unsupported_media_type'],
    ['with a form', '{}', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type'],
    ['with a look-alike type', '{}', { 'content-type': 'application/jsonp' }, 415, 'unsupported_media_type'],
    ['compressed', '{}', { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
    ['over the limit by one byte', 'x'.repeat(1001), {}, 413, 'body_too_large'],
    ['far over the limit', 'x'.repeat(100_000), {}, 413, 'body_too_large'],
  ])('%s is refused before its payment is looked at', async (_, body, headers, status, code) => {
    const admit = vi.fn(toy.admit);
    const { call } = await start({ payments: [{ ...toy, admit }] });
    const response = await call(body, headers);
    expect(response.headers.get('x-autopay-call-id')).toHaveLength(36);
    expect(await codeOf(response)).toEqual({ status, code });
    expect(admit).not.toHaveBeenCalled();
  });

  it('of the limit’s length, sent in pieces without a length, is taken whole', async () => {
    const { port } = await start();
    const socket = connect(port, '127.0.0.1');
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n');
    socket.write('connection: close\r\ntransfer-encoding: chunked\r\n\r\n');
    for (let piece = 0; piece < 10; piece += 1) socket.write(`64\r\n${'y'.repeat(100)}\r\n`);
    socket.write('0\r\n\r\n');
    expect(await text(socket)).toContain('y'.repeat(1000));
  });

  it('beyond as many as the relay takes is refused with 503 and Retry-After; so is any once it stops', async () => {
    const release = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    const { call, gate, url } = await start({
      gate: createCallGate(1),
      handleCall: async (_, sink) => {
        entered.resolve();
        await release.promise;
        sink.start(200, {});
        sink.end();
      },
    });
    const first = call();
    await entered.promise;
    const refused = await call();
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await codeOf(refused)).toEqual({ status: 503, code: 'overloaded' });
    const drained = gate.drain();
    release.resolve();
    expect((await first).status).toBe(200);
    await drained;
    expect(await codeOf(await call())).toEqual({ status: 503, code: 'overloaded' });
    const health = await fetch(`${url}/healthz`);
    expect([health.status, await health.json()]).toEqual([503, { status: 'stopping', relay: '0x01' }]);
  });
});

describe('bodies that do not come', () => {
  const head = 'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
  /** Connections that announce a body and send `sent` of it. */
  const stall = (port: number, count: number, { sent = '{', headers = '' } = {}) =>
    Array.from({ length: count }, () => {
      const socket = connect(port, '127.0.0.1');
      socket.write(`${head}${headers}content-length: 900\r\n\r\n${sent}`);
      return socket;
    });
  const settle = () => new Promise((resolve) => setTimeout(resolve, 100));
  const firstPiece = async (socket: Socket) => String((await once(socket, 'data'))[0]);

  it('take no place of a call, and make room for others, the oldest first', async () => {
    const { port, call } = await start({ gate: createCallGate(2), bodyLimits: { maxBodies: 4 } });
    const [oldest] = stall(port, 1);
    await settle();
    const others = stall(port, 3);
    await settle();
    const refused = firstPiece(oldest!);
    expect((await call()).status).toBe(200);
    expect(await refused).toMatch(/^HTTP\/1.1 503 .*"code":"overloaded"/s);
    expect((await call()).status).toBe(200);
    for (const socket of [oldest!, ...others]) socket.destroy();
  });

  it('cannot fill the memory', async () => {
    const { port, call } = await start({ bodyLimits: { maxTotalBytes: 2_000 } });
    const sockets = stall(port, 3, { sent: 'x'.repeat(800) });
    const answers = sockets.map(firstPiece);
    expect(await Promise.race(answers)).toContain('503');
    expect((await call('x'.repeat(900))).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });

  it('are counted by the memory that they take, not by what they declare', async () => {
    const { port, call } = await start({ bodyLimits: { maxTotalBytes: 2_000 } });
    const sockets = stall(port, 9);
    await settle();
    expect(await Promise.all(Array.from({ length: 5 }, async () => (await call('x'.repeat(300))).status))).toEqual(
      Array(5).fill(200),
    );
    expect(sockets.every((socket) => socket.bytesRead === 0)).toBe(true);
    for (const socket of sockets) socket.destroy();
  });

  it('end with the deadline', async () => {
    const { port } = await start({ bodyLimits: { deadlineMs: 50 } });
    const [socket] = stall(port, 1);
    expect(await firstPiece(socket!)).toMatch(/^HTTP\/1.1 400 .*not complete within 0.05 s/s);
    socket!.destroy();
  });

  it('and bodies without a payment are held to a lower limit, which the refusal names', async () => {
    const { call } = await start({ bodyLimits: { maxUnpaidBodyBytes: 100 } });
    const refused = await call('x'.repeat(101), { authorization: 'Bearer unused' });
    expect(refused.status).toBe(413);
    expect(await refused.text()).toContain('takes 100 bytes of body, with it 1000');
    expect((await call('x'.repeat(100))).status).toBe(200);
    // Taken whole, and then refused for its payment.
    expect((await call('x'.repeat(101), { authorization: 'Payment x' })).status).toBe(402);
  });

  it('count until their payment is decided', async () => {
    const decided = Promise.withResolvers<undefined>();
    const asked = Promise.withResolvers<void>();
    const slow: PaymentMethod = {
      ...toy,
      admit: ({ headers }) => {
        const { authorization } = headers;
        if (authorization !== undefined) asked.resolve();
        return authorization === undefined ? Promise.resolve(undefined) : decided.promise;
      },
    };
    const { call, gate } = await start({ payments: [slow, createFreeMethod()], bodyLimits: { maxBodies: 1 } });
    for (let round = 0; round < 3; round += 1) expect((await call()).status).toBe(200);
    const first = call('{}', { authorization: 'Payment x' });
    await asked.promise;
    expect(await codeOf(await call())).toEqual({ status: 503, code: 'overloaded' });
    // The books stay open for it when the relay stops.
    let isDrained = false;
    const drained = gate.drain().then(() => (isDrained = true));
    await settle();
    expect(isDrained).toBe(false);
    decided.resolve(undefined);
    expect(await codeOf(await first)).toEqual({ status: 503, code: 'overloaded' });
    await drained;
  });
});

it.each([
  ['with its length', 'body'],
  ['in pieces', 'new Blob([body]).stream()'],
])('a body of 30 MB, sent %s, is answered with a 413 that arrives', async (_, sent) => {
  const { url } = await start();
  // In a process of its own: here, client and relay would take turns, and never be in each other's way.
  const client = `
    const body = Buffer.alloc(30_000_000), headers = { 'content-type': 'application/json' };
    for (let round = 0; round < 8; round += 1) {
      const response = await fetch(process.argv[1], { method: 'POST', headers, duplex: 'half', body: ${sent} });
      console.log(response.status, (await response.json()).error.code);
    }`;
  const args = ['--input-type=module', '-e', client, `${url}/v1/chat/completions`];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(stdout).toBe('413 body_too_large\n'.repeat(8));
});

it('a client that sends on after its refusal is cut off at a bound', async () => {
  // Of bytes: on a busy machine the bound of time could come first.
  const { port } = await start({ maxDiscardMs: 60_000 });
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n');
  socket.write('content-length: 1000000000\r\n\r\n');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const piece = Buffer.alloc(2 ** 20);
  let sentBytes = 0;
  const send = () => {
    if (socket.destroyed || sentBytes > 500_000_000) return;
    sentBytes += piece.length;
    // A write that failed was not sent.
    socket.write(piece, (error) => {
      if (!error) send();
    });
  };
  send();
  await closed;
  expect(sentBytes).toBeGreaterThan(60_000_000);
  expect(sentBytes).toBeLessThan(200_000_000);
});

describe('a web page', () => {
  const origin = { origin: 'https://chat.example' };
  it('may ask every route, before and in its request', async () => {
    const { url, call } = await start();
    for (const path of ['/v1/chat/completions', '/v1/models', '/nowhere']) {
      const headers = { ...origin, 'access-control-request-headers': 'authorization' };
      const preflight = await fetch(url + path, { method: 'OPTIONS', headers });
      expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([204, 'authorization']);
    }
    const answers = [
      await call('{}', origin),
      await call('{}', { ...origin, authorization: 'Payment x' }),
      await fetch(`${url}/v1/models`, { headers: origin }),
      await fetch(`${url}/nowhere`, { headers: origin }),
    ];
    for (const { headers } of answers) expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(answers.map(({ status }) => status)).toEqual([200, 402, 200, 404]);
  });
});

describe('a 402', () => {
  /** A method with as many offers as anyone could have. */
  const many: PaymentMethod = {
    ...toy,
    challenge: () => ({
      offers: 20,
      headers: (count) => ({
        'WWW-Authenticate': Array(count)
          .fill(`Payment id="${'x'.repeat(600)}"`)
          .join(', '),
      }),
      body: { x402Version: 1, accepts: Array(20).fill({ scheme: 'upto' }) },
      facts: {},
    }),
  };

  it('has headers of at most 4 KiB, all of them together, and every offer in its body', async () => {
    const { port } = await start({ payments: [many, createFreeMethod()] });
    const socket = connect(port, '127.0.0.1');
    const head = ['host: x', 'origin: https://chat.example', 'authorization: Payment x', 'connection: close'];
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\n${head.join('\r\n')}\r\n`);
    socket.write('content-type: application/json\r\ncontent-length: 2\r\n\r\n{}');
    const answer = await text(socket);
    const headers = answer.slice(0, answer.indexOf('\r\n\r\n') + 4);
    expect(headers).toMatch(/^HTTP\/1.1 402 /);
    expect(headers.split('Payment id=').length - 1).toBeGreaterThanOrEqual(4);
    expect(Buffer.byteLength(headers)).toBeLessThanOrEqual(4_096);
    const body = JSON.parse(answer.slice(headers.length)) as { x402Version: number; accepts: unknown[]; error: object };
    expect(body).toMatchObject({ x402Version: 1, error: { code: 'malformed_credential' } });
    expect(body.accepts).toHaveLength(20);
  });

  it('has only what Accept-Payment asks for', async () => {
    const { call } = await start({
      payments: [{ ...toy, name: 'evm/session' }, { ...many, name: 'x402' }, createFreeMethod()],
    });
    const response = await call('{}', { authorization: 'Payment x', 'accept-payment': 'evm/session' });
    expect(response.headers.get('www-authenticate')).toBe('Payment id="t"');
    expect(await response.json()).not.toHaveProperty('accepts');
  });
});

describe('an error', () => {
  it('that a payment causes is a problem with a fresh challenge and the quote', async () => {
    const { call } = await start();
    const response = await call('{}', { authorization: 'Payment x' });
    expect(response.status).toBe(402);
    expect(response.headers.get('www-authenticate')).toBe('Payment id="t"');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toEqual({
      type: 'https://paymentauth.org/problems/malformed-credential',
      title: 'Payment Required',
      status: 402,
      detail: 'Not like that.',
      error: {
        message: 'Not like that.',
        type: 'payment_required',
        param: null,
        code: 'malformed_credential',
        quote: '7',
      },
    });
  });

  it('of the call’s life keeps its own facts, and is plain JSON without a payment', async () => {
    const { call } = await start({
      handleCall: () =>
        Promise.reject(new AutoPayError('payment_required', 'Pay.', { param: 'p', facts: { quote: '9' } })),
    });
    const response = await call();
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual({
      error: { message: 'Pay.', type: 'payment_required', param: 'p', code: 'payment_required', quote: '9' },
    });
  });

  it('that nobody foresaw is logged, and its text is not shown; nor are credentials logged', async () => {
    const { call, logged } = await start({ handleCall: () => Promise.reject(new Error('the cellar is on fire')) });
    const response = await call('{}', { authorization: 'Bearer very-secret' });
    const body = await response.text();
    expect(response.status).toBe(500);
    expect(body).toContain('internal_error');
    expect(body).not.toContain('cellar');
    expect(JSON.stringify(logged)).toContain('the cellar is on fire');
    expect(JSON.stringify(logged)).toContain(response.headers.get('x-autopay-call-id'));
    expect(JSON.stringify(logged)).not.toContain('very-secret');
  });

  it('that cannot be written as it is becomes one that says only that the relay failed', async () => {
    const headers = { 'x-broken': 'two\nlines' };
    const handleCall = () => Promise.reject(new CallError('upstream_error', 'The provider failed.', { headers }));
    const { call, url, logged } = await start({ handleCall });
    const response = await call();
    expect(response.headers.get('x-autopay-call-id')).toHaveLength(36);
    expect(await codeOf(response)).toEqual({ status: 500, code: 'internal_error' });
    expect(JSON.stringify(logged)).toContain('Invalid character in header');
    // The relay goes on.
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('after the first byte breaks the answer off', async () => {
    const { call } = await start({
      handleCall: async (_, sink) => {
        sink.start(200, { 'content-type': 'text/event-stream' });
        await sink.write(Buffer.from('data: 1\n\n'));
        throw new Error('too late');
      },
    });
    await expect((await call()).text()).rejects.toThrow();
  });

  it.each<[string, string, number, string, string | null]>([
    ['GET', '/v1/chat/completions', 405, 'method_not_allowed', 'HEAD, POST'],
    ['PUT', '/v1/chat/completions', 405, 'method_not_allowed', 'HEAD, POST'],
    ['DELETE', '/v1/models', 405, 'method_not_allowed', 'GET, HEAD'],
    ['DELETE', '/v1/models/a/b', 405, 'method_not_allowed', 'GET, HEAD'],
    ['GET', '/v1/models/a/b', 404, 'model_not_found', null],
    ['GET', '/v1/operator/jobs/collect', 405, 'method_not_allowed', 'POST'],
    ['POST', '/v1/images/generations', 404, 'not_found', null],
    ['POST', '/v1/chat/completions/', 404, 'not_found', null],
    ['GET', '/V1/models', 404, 'not_found', null],
    ['GET', '/', 404, 'not_found', null],
    ['GET', '/ipfs/%zz', 404, 'not_found', null],
  ])('of the path: %s %s is %i', async (method, path, status, code, allow) => {
    const { url, logged } = await start();
    const response = await fetch(url + path, { method });
    expect(response.headers.get('allow')).toBe(allow);
    expect(response.headers.has('x-autopay-call-id')).toBe(method === 'POST');
    expect(await codeOf(response)).toEqual({ status, code });
    expect(logged).toEqual([]);
  });
});

describe('a block', () => {
  it('is served raw, for ever', async () => {
    const { url } = await start();
    for (const [query, accept] of [
      ['', '*/*'],
      ['', 'application/vnd.ipld.raw'],
      ['?format=raw', 'text/html'],
    ] as const) {
      const response = await fetch(`${url}/ipfs/${cid}${query}`, { headers: { accept } });
      expect(response.headers.get('content-type')).toBe('application/vnd.ipld.raw');
      expect(response.headers.get('cache-control')).toContain('immutable');
      expect(await response.text()).toBe('a block');
    }
    const headers = { 'if-none-match': `"${cid}.raw"` };
    expect((await fetch(`${url}/ipfs/${cid}`, { headers })).status).toBe(304);
    const head = await fetch(`${url}/ipfs/${cid}`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '7']);
  });

  it('is refused in other forms and under other names', async () => {
    const { url } = await start();
    const get = async (path: string, accept = '*/*') =>
      codeOf(await fetch(`${url}/ipfs/${path}`, { headers: { accept } }));
    expect(await get(`${cid}?format=tar`)).toEqual({ status: 406, code: 'not_acceptable' });
    expect(await get(cid, 'text/html')).toEqual({ status: 406, code: 'not_acceptable' });
    expect(await get(`${cid}/previous?format=car`)).toEqual({ status: 404, code: 'not_found' });
    expect(await get('..%2f..%2fkeys%2frelay.key')).toEqual({ status: 400, code: 'invalid_request' });
    expect(await get('QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG')).toEqual({ status: 404, code: 'not_found' });
    expect(await get(cidOfBlock(Buffer.from('another')).toString())).toEqual({ status: 404, code: 'not_found' });
  });
});

describe('the operator’s routes', () => {
  it('open to the token only', async () => {
    const { url } = await start();
    const post = (authorization: string) =>
      fetch(`${url}/v1/operator/jobs/collect`, { method: 'POST', headers: { authorization } });
    expect(await (await post('Bearer secret')).json()).toEqual({ ran: 'collect' });
    const released = await fetch(`${url}/v1/operator/jobs/release`, {
      method: 'POST',
      headers: { authorization: 'Bearer secret' },
    });
    expect(await released.json()).toEqual({ ran: 'release' });
    for (const wrong of ['', 'Bearer', 'Bearer secre', 'Bearer secrets', 'Basic secret']) {
      expect(await codeOf(await post(wrong)), wrong).toEqual({ status: 403, code: 'forbidden' });
    }
  });
});

it('a client that leaves before its body is whole reaches nothing and frees its place', async () => {
  const handleCall = vi.fn(() => Promise.resolve());
  const { port, gate } = await start({ handleCall });
  const socket = connect(port, '127.0.0.1');
  socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{',
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  await once(socket, 'close');
  await gate.drain();
  expect(handleCall).not.toHaveBeenCalled();
});
