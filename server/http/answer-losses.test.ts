import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler } from 'express';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { createSettlementFixture, duePayment } from '../settlement/settlement-fixture.ts';
import { createForgiveHandler, createLossesHandler } from './answer-losses.ts';
import { createPaymentHandler } from './answer-payment.ts';

const lost = duePayment('eip3009', { state: 'lost', lossReason: 'poor' });
const settled = duePayment('permit2-exact', { state: 'settled', transactionHash: `0x${'ab'.repeat(32)}` });
const reserved = duePayment('permit2-upto', {
  ...{ paymentId: `0x${'12'.repeat(32)}`, state: 'reserved', charge: 0n, captured: 0n },
});

let server: Server;
let base: string;
let books: ReturnType<typeof createSettlementFixture>['books'];

beforeEach(async () => {
  ({ books } = createSettlementFixture([lost, settled, reserved]));
  const deps = {
    operatorToken: 'secret',
    ledger: {
      getPayment: (id: `0x${string}`) => Promise.resolve(books.get(id)),
      listLosses: ({ after, limit }: { after?: `0x${string}`; limit: number }) => {
        const losses = [...books.values()].filter(({ state }) => state === 'lost');
        const start = losses.findIndex(({ paymentId }) => paymentId === after) + 1;
        return Promise.resolve(losses.slice(start, start + limit));
      },
      forgivePayment: (id: `0x${string}`) => Promise.resolve(void books.set(id, { ...lost, state: 'forgiven' })),
    },
  };
  const app = express();
  app.get('/v1/payments/:paymentId', createPaymentHandler(deps));
  app.get('/v1/operator/losses', createLossesHandler(deps));
  app.post('/v1/operator/losses/:paymentId/forgive', createForgiveHandler(deps));
  app.use(((error: unknown, _request, response, _next) => {
    const { code, status } = error as AutoPayError;
    response.status(status).json({ code });
  }) satisfies ErrorRequestHandler);
  server = app.listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => new Promise((done) => server.close(done)));

const ask = async (path: string, options: { method?: string; token?: string } = {}) => {
  const headers = { authorization: `Bearer ${options.token ?? 'secret'}` };
  const response = await fetch(`${base}${path}`, { method: options.method ?? 'GET', headers });
  return { status: response.status, body: await response.json() };
};

describe('a direct payment', () => {
  it('is told as far as it is', async () => {
    expect(await ask(`/v1/payments/${settled.paymentId.toUpperCase().replace('X', 'x')}`, { token: 'none' })).toEqual({
      status: 200,
      body: {
        ...{ paymentId: settled.paymentId, kind: 'permit2-exact', status: 'settled' },
        ...{ transaction: settled.transactionHash, token: settled.token },
        ...{ captured: '1000', charge: '400', refundOwed: '600' },
      },
    });
    const { body } = await ask(`/v1/payments/${reserved.paymentId}`);
    expect(body).toMatchObject({ status: 'reserved', transaction: null, captured: '0', refundOwed: '0' });
  });

  it.each(['0x00', 'x', `0x${'0'.repeat(64)}`])('is not found by %s', async (id) => {
    expect(await ask(`/v1/payments/${id}`)).toEqual({ status: 404, body: { code: 'not_found' } });
  });
});

describe('losses', () => {
  it('are listed to the operator, and to nobody else', async () => {
    const { body } = await ask('/v1/operator/losses');
    expect(body).toMatchObject({
      losses: [{ paymentId: lost.paymentId, payer: lost.payer, captured: '1000', charge: '400', reason: 'poor' }],
    });
    expect((await ask('/v1/operator/losses', { token: 'guess' })).status).toBe(403);
  });

  it('are listed page by page', async () => {
    const ids = Array.from({ length: 1_000 }, (_, at): `0x${string}` => `0x${String(at).padStart(64, 'a')}`);
    for (const paymentId of ids) books.set(paymentId, { ...lost, paymentId });
    const listed: unknown[] = [];
    for (let path: string | undefined = '/v1/operator/losses'; path !== undefined;) {
      const { body } = (await ask(path)) as { body: { losses: { paymentId: string }[]; next: string | null } };
      listed.push(...body.losses.map(({ paymentId }) => paymentId));
      path = body.next === null ? undefined : `/v1/operator/losses?after=${body.next}`;
    }
    expect(listed).toEqual([lost.paymentId, ...ids]);
    expect(await ask('/v1/operator/losses?after=0x12')).toEqual({ status: 400, body: { code: 'invalid_request' } });
  });

  it('are forgiven by the operator', async () => {
    const path = `/v1/operator/losses/${lost.paymentId}/forgive`;
    expect((await ask(path, { method: 'POST', token: 'guess' })).status).toBe(403);
    expect(books.get(lost.paymentId)?.state).toBe('lost');
    const forgiven = { status: 200, body: { paymentId: lost.paymentId, status: 'forgiven' } };
    expect(await ask(path, { method: 'POST' })).toEqual(forgiven);
    expect(await ask(path, { method: 'POST' })).toEqual(forgiven);
    expect((await ask('/v1/operator/losses')).body).toEqual({ losses: [], next: null });
  });

  it('are only what is lost', async () => {
    const path = `/v1/operator/losses/${settled.paymentId}/forgive`;
    expect(await ask(path, { method: 'POST' })).toEqual({ status: 404, body: { code: 'not_found' } });
  });
});
