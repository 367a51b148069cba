import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKeyCurrency } from '../../keys/key-currency.ts';
import { createManageDeps, someKeyChannel, testTokens } from '../../keys/key-fixtures.ts';
import { createLoginSecrets } from '../../keys/login-secrets.ts';
import { createLog } from '../../log.ts';
import { createKeyRouter, type KeyRouterDeps } from './create-key-router.ts';
import { createJsonReader } from './read-json.ts';

const payer = `0x${'ab'.repeat(20)}` as const;
const book = createManageDeps();
const secrets = createLoginSecrets({ secret: Buffer.alloc(32, 3), chainId: 31_337, nowMs: book.nowMs });
const unused = () => Promise.reject(new Error('nothing asks for this'));
const deps: KeyRouterDeps = {
  ...book,
  ledger: {
    ...book.ledger,
    getSpending: async (scopes) => scopes.map((scope) => ({ ...scope, charged: 0n, reserved: 0n })),
    ...{ listSpending: async () => [], listCharges: unused, useNonce: unused, acceptHeadroom: unused },
    ...{
      getChannel: async (channelId) => [someKeyChannel({ charged: 5n })].find((known) => known.channelId === channelId),
      upsertChannel: unused,
    },
  },
  ...{ secrets, chainId: 31337, sessionTtlSeconds: 60, domains: ['relay.example.com'], masterKey: 'master' },
  contractSignatures: { isValid: async () => false },
  ...{
    suggestedHeadroom: '1',
    currency: createKeyCurrency(() => null),
    allowances: undefined,
    json: createJsonReader(),
  },
  recoverer: { recover: async () => payer },
  finder: { find: async () => undefined, refresh: async () => false },
  requireOurChannel: () => undefined,
  closer: { close: async (channel) => ({ channel, transactionHash: `0x${'fe'.repeat(32)}` }) },
  log: createLog('silent'),
};

const app = express();
app.disable('etag').set('query parser', false);
app.use(createKeyRouter(deps));
app.use((_, response) => void response.status(404).end());
const server = createServer(app);
let url = '';
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

const bearer = () => `Bearer ${secrets.issueToken(payer, book.nowMs() + 1_000)}`;
async function ask(method: string, path: string, body?: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: bearer(), ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body }),
  });
  const text = await response.text();
  return {
    response,
    body: (text ? JSON.parse(text) : {}) as Record<string, unknown> & { error?: { code: string; param: string } },
  };
}

describe('the API of keys', () => {
  it('makes a key, shows it once, and lets no cache keep it', async () => {
    const made = await ask('POST', '/v1/keys', '{"name":"a","budget":"5"}');
    expect(made.response.status).toBe(201);
    expect(made.response.headers.get('cache-control')).toBe('no-store');
    expect(made.body).toMatchObject({ object: 'key', payer, token: testTokens[0].address, budget: '5', spent: '0' });
    const listed = await ask('GET', '/v1/keys');
    expect(listed.body['data']).toMatchObject([{ name: 'a', hint: expect.stringMatching(/^ap_sk_…/) }]);
    expect(JSON.stringify(listed.body)).not.toContain(made.body['key']);
  });

  it('names what is wrong with a request', async () => {
    for (const [body, code, param] of [
      ['{', 'invalid_json', null],
      ['[]', 'invalid_request', 'body'],
      ['{"budget":5}', 'invalid_request', 'budget'],
      ['{"budget":"-1"}', 'invalid_request', 'budget'],
      ['{"limit":1}', 'invalid_request', 'body'],
      ['{"budget_duration":"daily"}', 'invalid_request', 'budget_duration'],
      [`{"metadata":{"a":"${'x'.repeat(9_000)}"}}`, 'invalid_request', 'metadata'],
      [`{"name":"${'x'.repeat(70_000)}"}`, 'body_too_large', null],
    ] as const) {
      const { body: answer, response } = await ask('POST', '/v1/keys', body);
      expect(answer.error, body.slice(0, 40)).toMatchObject({ code, param });
      expect(response.headers.get('x-autopay-call-id')).toBeTruthy();
    }
  });

  it('asks for a login, and tells lapsed from forged tokens no further', async () => {
    for (const authorization of [
      '',
      'Bearer x',
      'Bearer ap_st_x',
      `Bearer ${secrets.issueToken(payer, book.nowMs())}`,
    ]) {
      for (const [method, path] of [
        ['GET', '/v1/keys'],
        ['GET', '/v1/projects'],
        ['GET', '/v1/balance'],
        ['GET', '/v1/spending'],
      ] as const) {
        const { body, response } = await ask(method, path, undefined, { authorization });
        expect([response.status, body.error?.code]).toEqual([401, 'login_required']);
      }
    }
  });

  it('has the methods that it has, and leaves other paths alone', async () => {
    const { response } = await ask('PUT', '/v1/keys/key_1', '{}');
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, PATCH, DELETE']);
    expect((await ask('GET', '/v1/auth/login')).response.status).toBe(405);
    expect((await ask('GET', '/key/generate')).response.status).toBe(405);
    expect((await ask('GET', '/v1/elsewhere')).response.status).toBe(404);
  });

  it('gives login fields of its own domain, whatever host was asked', async () => {
    const { body } = await ask('POST', '/v1/auth/nonce', undefined, { host: 'evil.example.com' });
    expect(body).toMatchObject({
      domain: 'relay.example.com',
      domains: ['relay.example.com'],
      chainId: 31337,
      version: '1',
    });
    expect(secrets.checkNonce(String(body['nonce']))).toBe(Date.parse(String(body['expirationTime'])));
  });

  it('closes a channel of the payer that asks, and of nobody else', async () => {
    const path = `/v1/channels/0x${'77'.repeat(32)}/close`;
    const { body } = await ask('POST', path);
    expect(body).toMatchObject({ channelId: `0x${'77'.repeat(32)}`, spent: '5', returned: '999995' });
    const stranger = `Bearer ${secrets.issueToken(`0x${'cd'.repeat(20)}`, book.nowMs() + 1_000)}`;
    expect((await ask('POST', path, undefined, { authorization: stranger })).response.status).toBe(404);
    for (const id of ['0x', 'key_1', `0x${'78'.repeat(32)}`]) {
      expect((await ask('POST', `/v1/channels/${id}/close`)).response.status).toBe(404);
    }
    const { body: made } = await ask('POST', '/v1/keys', '{}');
    const byKey = await ask('POST', path, undefined, { authorization: `Bearer ${String(made['key'])}` });
    expect(byKey.body.error?.code).toBe('forbidden');
  });

  it('keeps LiteLLM’s part to the operator', async () => {
    const generate = '{"user_id":"0xabababababababababababababababababababab"}';
    expect((await ask('POST', '/key/generate', generate)).body.error?.code).toBe('forbidden');
    const made = await ask('POST', '/key/generate', generate, { authorization: 'Bearer master' });
    expect(made.body).toMatchObject({ key: expect.stringMatching(/^ap_sk_/), user_id: payer });
    expect((await ask('GET', '/spend/logs')).body.error?.code).toBe('forbidden');
    const own = await ask('GET', '/key/info', undefined, { authorization: `Bearer ${String(made.body['key'])}` });
    expect(own.body).toMatchObject({ info: { user_id: payer } });
    const foreign = await ask('GET', '/key/info?key=key_1', undefined, {
      authorization: `Bearer ${String(made.body['key'])}`,
    });
    expect(foreign.body.error?.code).toBe('forbidden');
  });
});
