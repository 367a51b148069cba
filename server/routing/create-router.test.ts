import { describe, expect, test } from 'vitest';
import { makeResponse, makeTransport } from '../call/call-fixtures.ts';
import { UnusableAnswer, type AttemptPlan, type AttemptsResult, type RouteOption } from '../call/router.ts';
import { plainRoute } from '../call/routing-terms.ts';
import { TransportError, type UpstreamResponse } from '../call/transport.ts';
import type { Deployment } from '../call/types.ts';
import { createRouter } from './create-router.ts';

const deployments = ['a', 'b', 'c'].map((name) => ({ id: `${name}@x`, provider: name, model: `model-${name}` }));

function makeOption(given: readonly Deployment[], changes: Partial<RouteOption> = {}): RouteOption {
  return {
    ...{ deployments: given, terms: plainRoute, after: null, promptTokens: 100, outputTokens: 10, shrunk: false },
    bodyFor: ({ model }) => Buffer.from(model),
    enter: () => Promise.resolve(true),
    ...changes,
  };
}

async function route(
  answers: (UpstreamResponse | Error)[],
  changes: Partial<AttemptPlan<string>> & { deployments?: Deployment[] } = {},
): Promise<AttemptsResult<string> & { sent: string[] }> {
  const transport = makeTransport(...answers);
  // A millisecond for each request.
  const clock = { nowMs: () => 1_000 + transport.sent.length };
  const { deployments: given = deployments, ...rest } = changes;
  const result = await createRouter({ transport, clock }).run({
    callId: 'call',
    path: '/v1/chat/completions',
    options: [makeOption(given)],
    stream: false,
    deadlineMs: 100_000,
    signal: new AbortController().signal,
    leaving: () => new AbortController().signal,
    mayRetry: () => true,
    accept: async (_, { id }) => id,
    ...rest,
  });
  return { ...result, sent: transport.sent };
}

const ok = (): UpstreamResponse => makeResponse(['{}'], { headers: { 'x-request-id': 'req_1' } });
const refuse = (status: number, body = '{}'): UpstreamResponse => makeResponse([body], { status });

test('the first deployment that answers is taken', async () => {
  const result = await route([ok()]);
  expect(result).toMatchObject({
    kind: 'accepted',
    value: 'a@x',
    attempt: { number: 1, deployment: { id: 'a@x' }, status: 200, requestId: 'req_1', startedAtMs: 1000 },
    failed: [],
    sent: ['model-a'],
  });
});

test('each failure that may pass elsewhere is recorded, and the next deployment tried', async () => {
  const result = await route([new TransportError('timeout', 'x'), refuse(503), ok()]);
  expect(result).toMatchObject({ kind: 'accepted', value: 'c@x', attempt: { number: 3 } });
  expect(result.failed).toEqual([
    {
      number: 1,
      provider: 'a',
      deployment: 'a@x',
      startedAtMs: 1000,
      endedAtMs: 1001,
      outcome: 'timeout',
      status: null,
      usage: null,
      usageKind: 'unknown',
    },
    expect.objectContaining({ number: 2, provider: 'b', outcome: 'refused', status: 503 }),
  ]);
  expect(result.sent).toEqual(['model-a', 'model-b', 'model-c']);
});

test.each([301, 401, 402, 403, 404, 408, 410, 429, 500, 502, 529])('%i is tried elsewhere', async (status) => {
  expect((await route([refuse(status), ok()])).kind).toBe('accepted');
});

test.each([400, 409, 413, 422])('%i is not', async (status) => {
  const result = await route([refuse(status)]);
  expect(result).toMatchObject({ kind: 'refused', refusal: { status }, sent: ['model-a'] });
});

test('the last failure is the one that is told', async () => {
  const three = [refuse(500), refuse(429, '{"error":{"message":"slow"}}'), new TransportError('unreachable', 'x')];
  expect(await route(three)).toMatchObject({ kind: 'failed', failure: 'unreachable', failed: [{}, {}, {}] });
  expect(await route(three.toReversed().slice(1).concat(refuse(502)))).toMatchObject({
    kind: 'refused',
    refusal: { status: 502 },
  });
});

test('an answer that is not accepted is tried elsewhere', async () => {
  let answers = 0;
  const accept = async (): Promise<string> => {
    answers += 1;
    if (answers === 1) throw new UnusableAnswer('no choices');
    if (answers === 2) throw new TransportError('truncated', 'cut');
    return 'third';
  };
  const result = await route([ok(), ok(), ok()], { accept });
  expect(result).toMatchObject({ kind: 'accepted', value: 'third' });
  expect(result.failed).toMatchObject([
    { outcome: 'refused', status: 200 },
    { outcome: 'truncated', status: 200 },
  ]);
});

test('an answer that is too long is not asked for elsewhere', async () => {
  const accept = () => Promise.reject(new TransportError('too_long', 'x'));
  const result = await route([ok(), ok()], { accept });
  expect(result).toMatchObject({ kind: 'failed', failure: 'too_long', sent: ['model-a'] });
  expect(result.failed).toMatchObject([{ outcome: 'aborted', status: 200 }]);
});

test('every answer that is not taken is destroyed, whatever of it was read', async () => {
  const encoded = makeResponse(['x'], { headers: { 'content-encoding': 'gzip' } });
  const refused = makeResponse(['{}'], { status: 503 });
  const taken = makeResponse(['{}']);
  await route([encoded, refused, taken]);
  expect([encoded, refused, taken].map(({ destroyed }) => destroyed)).toEqual([true, true, false]);
});

test('a request id that no header can hold is not passed on', async () => {
  const strange = makeResponse(['{}'], { headers: { 'x-request-id': 'r\u0000\u20ac' } });
  const none = makeResponse(['{}'], { headers: { 'x-request-id': '\u20ac' } });
  expect(await route([strange])).toMatchObject({ attempt: { requestId: 'r' } });
  expect(await route([none])).toMatchObject({ attempt: { requestId: undefined } });
});

test('encoded answers cannot be metered', async () => {
  const zipped = makeResponse(['x'], { headers: { 'content-encoding': 'gzip' } });
  expect(await route([zipped], { deployments: deployments.slice(0, 1) })).toMatchObject({
    kind: 'failed',
    failure: 'unusable',
  });
});

test('nothing is tried after an abort, nor when the client has gone', async () => {
  expect(await route([new TransportError('aborted', 'x')])).toMatchObject({
    failure: 'aborted',
    failed: [{ outcome: 'aborted' }],
  });
  expect(await route([refuse(500)], { mayRetry: () => false })).toMatchObject({ kind: 'refused', failed: [{}] });
});

test('the number of attempts is bounded', async () => {
  const many = Array.from({ length: 20 }, (_, index) => ({ id: `${index}@x`, provider: 'p', model: 'm' }));
  const result = await route(
    many.map(() => refuse(500)),
    { deployments: many },
  );
  expect(result.failed).toHaveLength(8);
});

describe('what the client sees of a refusal', () => {
  async function refusalOf(response: UpstreamResponse): Promise<unknown> {
    const result = await route([response], { deployments: deployments.slice(0, 1) });
    return result.kind === 'refused' ? result.refusal : result.kind;
  }

  test('OpenAI’s four fields and nothing else', async () => {
    const body = '{"error":{"message":"m","type":"t","param":"p","code":7,"key":"sk-1"},"trace":"x"}';
    expect(await refusalOf(refuse(400, body))).toEqual({
      status: 400,
      error: { message: 'm', type: 't', param: 'p', code: '7' },
      headers: {},
    });
    expect(await refusalOf(refuse(400, '{"error":"plain"}'))).toMatchObject({
      error: { message: 'plain', type: 'upstream_error', param: null, code: 'upstream_error' },
    });
  });

  test('only the status of a body that is something else', async () => {
    for (const body of ['<html>secret</html>', '', '[1]', '"x"', '{"error":{"message":""}}', 'x'.repeat(70_000)]) {
      expect(await refusalOf(refuse(503, body))).toMatchObject({
        status: 503,
        error: { message: 'The provider answered with status 503.', type: 'upstream_error' },
      });
    }
  });

  test('nothing of what concerns the relay’s own account there', async () => {
    const body = '{"error":{"message":"Incorrect API key provided: sk-123"}}';
    for (const status of [302, 401, 402, 403, 407]) expect(await refusalOf(refuse(status, body))).toBe('failed');
  });

  test('the time to wait', async () => {
    const headers = { 'retry-after': '3', 'retry-after-ms': '2500', 'x-other': '1' };
    expect(await refusalOf(makeResponse(['{}'], { status: 429, headers }))).toMatchObject({
      headers: { 'retry-after': '3', 'retry-after-ms': '2500' },
    });
  });
});
