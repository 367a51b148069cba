import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler } from 'express';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import type { StoredPurchase } from '../ledger/purchase-ledger.ts';
import { createPurchasesHandler, createResumeHandler } from './answer-purchases.ts';

const callId = createCallId();
const purchase: StoredPurchase = {
  ...{
    purchaseId: 7,
    callId,
    attempt: 1,
    provider: 'b',
    method: 'evm/session',
    chainId: 1,
    maximum: 2n ** 70n,
    state: 'paid',
  },
  ...{
    token: '0xc1',
    payer: '0xa1',
    payee: '0xb1',
    nonce: null,
    validBefore: null,
    channelId: '0x0c',
    cumulative: 2n ** 71n,
  },
  ...{ cost: 5n, transactionHash: null, receipt: 'AAAA', openedAtMs: 1 },
};

let server: Server;
let base: string;
let asked: object[];
let page: StoredPurchase[];
let resumed: string[];

beforeEach(async () => {
  [asked, page, resumed] = [[], [purchase, { ...purchase, purchaseId: 8, cost: null, state: 'unknown' }], []];
  const deps = {
    operatorToken: 'secret',
    ledger: {
      async listPurchases(options: object) {
        asked.push(options);
        return page;
      },
    },
    channels: () => [{ provider: 'b', condition: 'ok' }],
    async resume(provider: string) {
      resumed.push(provider);
      return provider === 'b';
    },
  };
  const app = express();
  app.get('/v1/operator/purchases', createPurchasesHandler(deps));
  app.post('/v1/operator/purchases/:provider/resume', createResumeHandler(deps));
  app.use(((error: unknown, _request, response, _next) => {
    const { code, status } = error as AutoPayError;
    response.status(status).json({ code });
  }) satisfies ErrorRequestHandler);
  server = app.listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/operator/purchases`;
});
afterEach(() => new Promise((done) => server.close(done)));

async function ask(path = '', options: { method?: string; token?: string } = {}) {
  const headers = { authorization: `Bearer ${options.token ?? 'secret'}` };
  const response = await fetch(base + path, { method: options.method ?? 'GET', headers });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

it('lists what was paid, amounts as text, and how the channels are', async () => {
  const { body } = await ask();
  expect(body).toMatchObject({
    purchases: [
      { purchaseId: 7, maximum: String(2n ** 70n), cost: '5' },
      { purchaseId: 8, cost: null, state: 'unknown' },
    ],
    channels: [{ provider: 'b', condition: 'ok' }],
    next: null,
  });
  await ask(`?callId=${callId}&after=7`);
  expect(asked).toEqual([
    { after: 0, limit: 1_000 },
    { after: 7, limit: 1_000, callId },
  ]);
  page = Array.from({ length: 1_000 }, (_, index) => ({ ...purchase, purchaseId: index + 1 }));
  expect((await ask()).body['next']).toBe(1_000);
});

it('is the operator’s, and refuses what is no id', async () => {
  expect(await ask('', { token: 'wrong' })).toMatchObject({ status: 403 });
  expect(await ask('/b/resume', { method: 'POST', token: 'wrong' })).toMatchObject({ status: 403 });
  for (const query of ['?callId=x', '?after=-1', '?after=x']) expect(await ask(query)).toMatchObject({ status: 400 });
  expect([asked, resumed]).toEqual([[], []]);
});

it('a provider is paid again once the operator says so', async () => {
  expect(await ask('/b/resume', { method: 'POST' })).toEqual({
    status: 200,
    body: { provider: 'b', status: 'resumed' },
  });
  expect(await ask('/c/resume', { method: 'POST' })).toMatchObject({ status: 404 });
});
