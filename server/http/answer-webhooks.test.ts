import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import express, { type ErrorRequestHandler } from 'express';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { FailedDelivery } from '../ledger/webhook-ledger.ts';
import { createRetryWebhooksHandler, createWebhooksHandler } from './answer-webhooks.ts';

const url = 'https://receiver.example/r';
const failure: FailedDelivery = { url, index: 4, callId: 'c', attempts: 10, nextAtMs: null, reason: 'refused' };
const progress = { url, behind: 3, waiting: 0, dead: 1, gone: false };

let server: Server;
let base: string;
let asked: object[];
let page: FailedDelivery[];

beforeEach(async () => {
  [asked, page] = [[], [failure]];
  const deps = {
    operatorToken: 'secret',
    ledger: {
      async listFailedDeliveries(options: object) {
        asked.push(options);
        return page;
      },
    },
    webhooks: { progress: () => Promise.resolve([progress]), retry: () => Promise.resolve(1) },
  };
  const app = express();
  app.get('/v1/operator/webhooks', createWebhooksHandler(deps));
  app.post('/v1/operator/webhooks/retry', createRetryWebhooksHandler(deps));
  app.use(((error: unknown, _request, response, _next) => {
    const { code, status } = error as AutoPayError;
    response.status(status).json({ code });
  }) satisfies ErrorRequestHandler);
  server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/operator/webhooks`;
});

afterEach(() => new Promise((resolve) => server.close(resolve)));

const send = async (path: string, init: RequestInit = {}) => {
  const response = await fetch(`${base}${path}`, { headers: { authorization: 'Bearer secret' }, ...init });
  return [response.status, await response.json()];
};

it('tells how far each webhook is, and what could not be delivered, a page at a time', async () => {
  expect(await send('')).toEqual([200, { webhooks: [progress], failed: [failure], next: null }]);
  page = Array.from({ length: 1_000 }, (_, index) => ({ ...failure, index }));
  expect(await send(`?url=${encodeURIComponent(url)}&after=4`)).toMatchObject([200, { next: { url, after: 999 } }]);
  expect(asked).toEqual([{ limit: 1_000 }, { after: { url, index: 4 }, limit: 1_000 }]);
});

it('has all of it tried again', async () => {
  expect(await send('/retry', { method: 'POST' })).toEqual([200, { due: 1 }]);
});

it.each(['?after=4', '?url=x', '?url=x&after=-1', '?url=x&after=1e3'])('refuses the page %s', async (query) => {
  expect(await send(query)).toEqual([400, { code: 'invalid_request' }]);
});

it('is for the operator only', async () => {
  expect(await send('', { headers: {} })).toEqual([403, { code: 'forbidden' }]);
  expect(await send('/retry', { method: 'POST', headers: {} })).toEqual([403, { code: 'forbidden' }]);
});
