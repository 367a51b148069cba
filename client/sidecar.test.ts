import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { walletDescriptionSchema } from './describe-wallet.ts';
import { startSidecar, type Sidecar } from './sidecar.ts';
import type { StoredReceipt } from './receipt-store.ts';
import { doubleTerms, startRelayDouble, type RelayDouble } from './testing/relay-double.ts';
import { seededChannelId, seedWallet, walletAddress, walletKey } from './testing/seed-wallet.ts';

// The relay is a double (testing/relay-double.ts).
let double: RelayDouble;
let seeded: Awaited<ReturnType<typeof seedWallet>>;
let sidecar: Sidecar;
let receipts: StoredReceipt[];

beforeEach(async () => {
  double = await startRelayDouble();
  seeded = await seedWallet(double);
  receipts = [];
  sidecar = await startSidecar({
    relayUrl: double.url,
    privateKey: walletKey,
    stateDir: seeded.stateDir,
    port: 0,
    maxBodyBytes: 10_000,
    limits: { perDay: '1.5' },
    onReceipt: (receipt) => receipts.push(receipt),
  });
});
afterEach(async () => {
  await sidecar.close();
  await double.close();
  await seeded.remove();
});

const body = JSON.stringify({ model: 'paid', messages: [{ role: 'user', content: 'hi' }] });

/** A request with headers that fetch would not let through. */
async function send(options: { method?: string; path?: string; headers?: Record<string, string>; body?: string }) {
  const { port } = new URL(sidecar.url);
  const { method = 'POST', path = '/v1/chat/completions', headers = {} } = options;
  const request = httpRequest({
    host: '127.0.0.1',
    port,
    method,
    path,
    headers: { 'content-type': 'application/json', ...headers },
  });
  request.end(options.body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return {
    status: response.statusCode,
    json: JSON.parse(text) as { error?: { code: string } },
    headers: response.headers,
  };
}

describe('the sidecar', () => {
  it('makes baseURL all that an application changes', async () => {
    const client = new OpenAI({ baseURL: `${sidecar.url}/v1`, apiKey: 'anything' });
    const answer = await client.chat.completions.create({ model: 'paid', messages: [{ role: 'user', content: 'hi' }] });
    expect(answer.choices[0]?.message.content).toBe('hello');
    const stream = await client.chat.completions.create({
      model: 'paid',
      stream: true,
      messages: [{ role: 'user', content: 'hi' }],
    });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe('héllo wörld');
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['paid', 'free']);
    expect(receipts.map(({ sequence, problems }) => [sequence, problems])).toEqual([
      [1, []],
      [2, []],
    ]);
    expect(double.authorizations.join()).not.toContain('anything');
  });

  it('answers nobody who came under a foreign name or from a foreign page', async () => {
    const { port } = new URL(sidecar.url);
    for (const headers of [
      { host: 'attacker.example' },
      { host: `attacker.example:${port}` },
      { host: '127.0.0.1:1' },
      { host: `127.0.0.1.attacker.example:${port}` },
      { host: `localhost:${port}`, origin: 'https://attacker.example' },
      { host: `localhost:${port}`, origin: 'null' },
    ]) {
      expect(await send({ headers, body }), JSON.stringify(headers)).toMatchObject({
        status: 403,
        json: { error: { code: 'forbidden' } },
      });
    }
    expect(double.authorizations).toEqual([]);
    expect((await send({ headers: { host: `localhost:${port}`, origin: 'http://localhost:3000' }, body })).status).toBe(
      200,
    );
  });

  it('says by code what it does not take', async () => {
    expect(await send({ path: '/v2/x', body })).toMatchObject({ status: 404, json: { error: { code: 'not_found' } } });
    expect(await send({ path: '/v1/../healthz', body })).toMatchObject({
      status: 404,
      json: { error: { code: 'not_found' } },
    });
    expect(await send({ method: 'PUT', body })).toMatchObject({
      status: 405,
      json: { error: { code: 'method_not_allowed' } },
    });
    expect(await send({ body: 'x'.repeat(10_001) })).toMatchObject({
      status: 413,
      json: { error: { code: 'body_too_large' } },
    });
    expect(await send({ headers: { 'content-encoding': 'gzip' }, body })).toMatchObject({ status: 415 });
    expect(double.authorizations).toEqual([]);
    expect(await send({ method: 'GET', path: '/healthz' })).toMatchObject({
      status: 200,
      json: { status: 'ok', relayUrl: double.url },
    });
  });

  it('says that the relay is gone', async () => {
    const gone = await startRelayDouble();
    await gone.close();
    const other = await startSidecar({ relayUrl: gone.url, privateKey: walletKey, stateDir: seeded.stateDir, port: 0 });
    try {
      const response = await fetch(`${other.url}/v1/chat/completions`, { method: 'POST', body });
      expect(response.status).toBe(502);
      expect(await response.json()).toMatchObject({ error: { code: 'upstream_unreachable' } });
    } finally {
      await other.close();
    }
  });

  it('ends the call at the relay when the application goes away', async () => {
    double.mischief.delayMs = 300;
    const { port } = new URL(sidecar.url);
    const socket = connect(Number(port), '127.0.0.1');
    const streamed = JSON.stringify({ ...(JSON.parse(body) as object), stream: true });
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-length: ${streamed.length}\r\n\r\n${streamed}`,
    );
    await once(socket, 'data');
    socket.destroy();
    await expect.poll(() => double.books.get(seededChannelId)?.charged).toBeGreaterThan(0n);
    // The call is charged, and the next one is paid all the same.
    delete double.mischief.delayMs;
    expect((await send({ body })).status).toBe(200);
    expect(receipts).toHaveLength(1);
  });

  it('tells of the wallet, in atomic units', async () => {
    await send({ body });
    const { json, headers } = await send({ method: 'GET', path: '/wallet' });
    expect(json).toEqual({
      address: walletAddress,
      relayUrl: double.url,
      chainId: 31_337,
      token: doubleTerms.token,
      // There is no chain to ask here.
      balance: null,
      channel: {
        channelId: seededChannelId,
        deposit: '1000000',
        spent: '20',
        signed: expect.any(String),
        left: '999980',
      },
      spentToday: '20',
      spentTodayIn: [{ chainId: 31_337, token: doubleTerms.token.address, amount: '20' }],
      limits: { perCall: null, perDay: '1500000', perDeposit: null },
    });
    expect(headers['cache-control']).toBe('no-store');
    expect((await send({ method: 'GET', path: '/wallet', headers: { host: 'attacker.example' } })).status).toBe(403);
  });

  describe('with a token', () => {
    const proxyToken = 'a-token-of-this-machine';
    let guarded: Sidecar;
    beforeEach(async () => {
      const place = { relayUrl: double.url, privateKey: walletKey, stateDir: seeded.stateDir, port: 0 };
      guarded = await startSidecar({ ...place, proxyToken, host: '0.0.0.0' });
    });
    afterEach(() => guarded.close());

    it.each([
      ['none', {}],
      ['another', { authorization: 'Bearer a-token-of-that-machine' }],
      ['a longer one', { authorization: `Bearer ${proxyToken}x` }],
      ['it as a user name', { authorization: `Basic ${proxyToken}` }],
    ])('serves nobody who has %s', async (_name, headers) => {
      const { port } = new URL(guarded.url);
      for (const path of ['/wallet', '/v1/models']) {
        const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
        expect([response.status, await response.json()]).toMatchObject([401, { error: { code: 'login_required' } }]);
      }
      expect(double.authorizations).toEqual([]);
      expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    });

    it('serves its own page under whatever name it is reached, and pages of no other site', async () => {
      const { port } = new URL(guarded.url);
      const ask = async (origin: string) => {
        const headers = { host: `box.lan:${port}`, origin, authorization: `Bearer ${proxyToken}` };
        const request = httpRequest({ host: '127.0.0.1', port, path: '/wallet', headers }).end();
        const [response] = (await once(request, 'response')) as [IncomingMessage];
        return response.resume().statusCode;
      };
      expect(await ask(`http://box.lan:${port}`)).toBe(200);
      expect(await ask('http://box.lan:1')).toBe(403);
      expect(await ask('https://attacker.example')).toBe(403);
      expect(await ask('null')).toBe(403);
    });

    it('serves an OpenAI client that has it as its API key, and does not pass it on', async () => {
      const { port } = new URL(guarded.url);
      const client = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: proxyToken });
      await client.chat.completions.create({ model: 'paid', messages: [{ role: 'user', content: 'hi' }] });
      expect(double.books.get(seededChannelId)?.sequence).toBe(1);
      expect(double.authorizations.join()).not.toContain(proxyToken);
      const byHeader = await fetch(`http://127.0.0.1:${port}/wallet`, { headers: { 'x-api-key': proxyToken } });
      expect(byHeader.status).toBe(200);
    });
  });

  it.each([
    [{ host: '0.0.0.0' }, 'Set AUTOPAY_PROXY_TOKEN'],
    [{ host: '::' }, 'Set AUTOPAY_PROXY_TOKEN'],
    [{ proxyToken: 'short' }, 'at least 16'],
  ])('does not start where strangers could spend: %j', async (unsafe, message) => {
    const place = { relayUrl: double.url, privateKey: walletKey, stateDir: seeded.stateDir, port: 0 };
    const starting = startSidecar({ ...place, ...unsafe }).then((started) => started.close());
    await expect(starting).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining(message) as string,
    });
  });

  it('pays another service, below a path, and tells what it can of the wallet', async () => {
    const asked: string[] = [];
    const other = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.writeHead(request.url === '/api/v1/models' ? 200 : 404).end('{"data":[]}');
    }).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const relayUrl = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const place = { privateKey: walletKey, stateDir: seeded.stateDir, port: 0, onWarning: () => undefined };
    const abroad = await startSidecar({ ...place, relayUrl: `${relayUrl}/api/v1/` });
    try {
      expect((await fetch(`${abroad.url}/v1/models?all=1`)).status).toBe(404);
      expect((await fetch(`${abroad.url}/v1/models`)).status).toBe(200);
      expect((await fetch(`${abroad.url}/v1/../../key`)).status).toBe(404);
      expect(asked.filter((line) => line.includes('/api'))).toEqual(['GET /api/v1/models?all=1', 'GET /api/v1/models']);
      const wallet: unknown = await (await fetch(`${abroad.url}/wallet`)).json();
      expect(walletDescriptionSchema.parse(wallet)).toMatchObject({ address: walletAddress, relayUrl, token: null });
    } finally {
      await abroad.close();
      other.close();
    }
  });

  it('says that its port is taken', async () => {
    const port = Number(new URL(sidecar.url).port);
    await expect(
      startSidecar({ relayUrl: double.url, privateKey: walletKey, stateDir: seeded.stateDir, port }),
    ).rejects.toMatchObject({ code: 'port_taken' });
  });
});
