import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { CallError } from '../call/call-error.ts';
import { createLog } from '../log.ts';
import { sendError } from './send-error.ts';

const log = createLog('silent');
let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** What a client gets for an error. */
async function answer(error: unknown, headers: Record<string, string> = {}, path = '/'): Promise<Response> {
  server = createServer((request, response) => sendError({ request, response, error, payments: [], log }));
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, { headers });
}

const words = { message: 'Slow down.', type: 'requests', param: null, code: 'rate_limit_exceeded' };
const refusal = { status: 429, error: words, headers: { 'retry-after': '7' } };

test('an upstream’s refusal keeps its status, words and time to wait', async () => {
  const response = await answer(new CallError('upstream_error', words.message, { refusal }));
  expect(response.status).toBe(429);
  expect(await response.json()).toEqual({ error: words });
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('retry-after')).toBe('7');
  expect(response.headers.has('x-should-retry')).toBe(false);
});

test('who paid by MPP gets it as a problem too', async () => {
  const response = await answer(new CallError('upstream_error', words.message, { refusal }), {
    authorization: 'Payment abc',
  });
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(await response.json()).toEqual({
    type: 'about:blank',
    title: 'Too Many Requests',
    status: 429,
    detail: 'Slow down.',
    error: words,
  });
});

test('the same of an API whose errors have a type keeps that', async () => {
  const error = new CallError('upstream_error', words.message, { refusal });
  const response = await answer(error, { authorization: 'Payment abc' }, '/v1/messages');
  expect(await response.json()).toMatchObject({ type: 'error', status: 429, error: { message: 'Slow down.' } });
});

test('a call that was charged without a whole answer brings its receipt, and is not to be tried again', async () => {
  for (const code of ['answer_too_long', 'call_timeout'] as const) {
    const response = await answer(new CallError(code, 'Too much.', { headers: { 'x-autopay-receipt': 'QUJD' } }));
    expect(response.status).toBe(new AutoPayError(code, '').status);
    expect(await response.json()).toMatchObject({ error: { code, message: 'Too much.' } });
    expect(response.headers.get('x-autopay-receipt')).toBe('QUJD');
    expect(response.headers.get('x-should-retry')).toBe('false');
  }
});

test('what is no error of ours is told as internal_error', async () => {
  const response = await answer(new Error('secret'));
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain('secret');
});

test('what ends at a known time says when to come back', async () => {
  const resetsAt = new Date(Date.now() + 90_000).toISOString();
  const spent = await answer(new AutoPayError('scope_exceeded', 'Spent.', { facts: { resetsAt } }));
  expect(Number(spent.headers.get('retry-after'))).toBeGreaterThan(85);
  expect(Number(spent.headers.get('retry-after'))).toBeLessThanOrEqual(90);
  expect(spent.headers.get('x-should-retry')).toBe('false');
  const past = await answer(
    new AutoPayError('scope_exceeded', 'Spent.', { facts: { resetsAt: '2020-01-01T00:00:00Z' } }),
  );
  expect(past.headers.get('retry-after')).toBe('1');
  const rated = await answer(new AutoPayError('rate_limit_exceeded', 'Slower.', { facts: { retryAfterSeconds: 2.1 } }));
  expect([rated.headers.get('retry-after'), rated.headers.has('x-should-retry')]).toEqual(['3', false]);
});

test('a budget that is spent is not worth a second try; budgets that are unknown are, a little later', async () => {
  const spent = await answer(new AutoPayError('model_budget_exceeded', 'Spent.', { facts: { limitAgpt: '5' } }));
  expect([spent.status, spent.headers.get('x-should-retry')]).toEqual([429, 'false']);
  expect(await spent.json()).toMatchObject({ error: { code: 'model_budget_exceeded', limitAgpt: '5' } });
  const unknown = await answer(new AutoPayError('budgets_unknown', 'The chain is away.'));
  expect([unknown.status, unknown.headers.get('retry-after')]).toEqual([503, '5']);
  expect(unknown.headers.has('x-should-retry')).toBe(false);
});

test('who waits for confirmations is told how long, and may send the same again', async () => {
  const error = new AutoPayError('channel_not_confirmed', 'Wait.', { facts: { retryAfterSeconds: 15 } });
  const response = await answer(error, { authorization: 'Payment abc' });
  expect(response.status).toBe(409);
  expect([response.headers.get('retry-after'), response.headers.get('x-should-retry')]).toEqual(['15', 'true']);
  expect(await response.json()).toMatchObject({ error: { code: 'channel_not_confirmed', retryAfterSeconds: 15 } });
});
