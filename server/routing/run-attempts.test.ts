import { beforeEach, describe, expect, test } from 'vitest';
import { makeResponse } from '../call/call-fixtures.ts';
import { EmptyAnswer, type AttemptPlan, type RouteOption } from '../call/router.ts';
import { plainDeployment, plainRoute, type DeploymentTerms, type RouteTerms } from '../call/routing-terms.ts';
import { TransportError, type UpstreamRequest, type UpstreamResponse } from '../call/transport.ts';
import type { Deployment } from '../call/types.ts';
import { createRouter } from './create-router.ts';
import { DeploymentHealth } from './deployment-health.ts';

type Answer = UpstreamResponse | Error | ((request: UpstreamRequest) => Promise<UpstreamResponse>);

let nowMs: number;
let waits: number[];
let sent: string[];
/** What each deployment answers, in turn; then 200. */
let answers: Record<string, Answer[]>;
let health: DeploymentHealth;

const clock = { nowMs: () => nowMs };
const start = 1_700_000_000_000;

beforeEach(() => {
  nowMs = start;
  waits = [];
  sent = [];
  answers = {};
  health = new DeploymentHealth({ allowedFails: 3, restMs: 5_000, mostRestMs: 60_000, refusedKeyMs: 60_000 }, clock);
});

function deployment(name: string, terms: Partial<DeploymentTerms> = {}): Deployment {
  return { id: `${name}@x`, provider: name, model: name, terms: { ...plainDeployment, ...terms } };
}

function option(
  names: readonly (string | Deployment)[],
  terms: Partial<RouteTerms> = {},
  changes: Partial<RouteOption> = {},
): RouteOption {
  return {
    deployments: names.map((name) => (typeof name === 'string' ? deployment(name) : name)),
    ...{ terms: { ...plainRoute, ...terms }, after: null, promptTokens: 40, outputTokens: 10, shrunk: false },
    bodyFor: ({ model }) => Buffer.from(model),
    enter: () => Promise.resolve(true),
    ...changes,
  };
}

async function run(options: RouteOption[], changes: Partial<AttemptPlan<string>> = {}) {
  const router = createRouter({
    clock,
    health,
    random: () => 0,
    backoff: { firstMs: 100, mostMs: 1_000, retryAfterMostMs: 10_000 },
    wait: async (durationMs, signal) => {
      if (signal.aborted) return;
      waits.push(durationMs);
      nowMs += durationMs;
    },
    transport: {
      async send(request) {
        const name = request.deployment.model;
        sent.push(name);
        nowMs += 1;
        const answer = answers[name]?.shift() ?? makeResponse(['{}']);
        if (answer instanceof Error) throw answer;
        return typeof answer === 'function' ? answer(request) : answer;
      },
    },
  });
  return router.run({
    ...{ callId: 'call', path: '/v1/chat/completions', options, stream: false, deadlineMs: start + 60_000 },
    signal: new AbortController().signal,
    leaving: () => new AbortController().signal,
    mayRetry: () => true,
    accept: async (_, { model }) => model,
    ...changes,
  });
}

const refuse = (status: number, headers: Record<string, string> = {}, body = '{}') =>
  makeResponse([body], { status, headers });
const contextError = () => refuse(400, {}, '{"error":{"message":"m","code":"context_length_exceeded"}}');
const policyError = () => refuse(400, {}, '{"error":{"message":"m","code":"content_policy_violation"}}');

describe('repetitions', () => {
  test('come after every deployment was tried, wait longer each time, and are counted', async () => {
    answers = { a: [refuse(500), refuse(502)], b: [refuse(503), refuse(500)] };
    const result = await run([option(['a', 'b'], { retries: 3 })]);
    expect(sent).toEqual(['a', 'b', 'a', 'a']);
    expect(waits).toEqual([100, 200]);
    expect(result).toMatchObject({
      ...{ kind: 'accepted', value: 'a', attempt: { number: 4 } },
      retries: { attempts: 4, totalSleepMs: 300, lastRetryAfterMs: null },
    });
    expect(result.failed.map(({ number }) => number)).toEqual([1, 2, 3]);
  });

  test.each([
    [{ 'retry-after': '3' }, 3_000],
    [{ 'retry-after-ms': '250' }, 250],
    [{ 'retry-after': new Date(start + 7_000).toUTCString() }, 6_999],
    [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '6.5s' }, 6_500],
  ])('obey %o', async (headers, waitMs) => {
    answers = { a: [refuse(429, headers)] };
    const result = await run([option(['a'], { retries: 1 })]);
    expect(waits).toEqual([waitMs]);
    expect(result).toMatchObject({ kind: 'accepted', retries: { attempts: 2, lastRetryAfterMs: waitMs } });
  });

  test('a time that is told in another way is told the client in the usual one', async () => {
    answers = { a: [refuse(429, { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '6m0.5s' })] };
    expect(await run([option(['a'])])).toMatchObject({
      kind: 'refused',
      refusal: { status: 429, headers: { 'retry-after': '361' } },
    });
    // A limit says nothing of other failures.
    answers = { a: [refuse(500, { 'x-ratelimit-reset-requests': '6m0s' })] };
    expect(await run([option(['a'])])).toMatchObject({ refusal: { status: 500, headers: {} } });
  });

  test('are not made where the provider asks for more patience than there is', async () => {
    answers = { a: [refuse(429, { 'retry-after': '11' })] };
    const result = await run([option(['a'], { retries: 5 })]);
    expect(result).toMatchObject({ kind: 'refused', refusal: { status: 429, headers: { 'retry-after': '11' } } });
    expect(waits).toEqual([]);
  });

  test('are not made beyond the call’s time', async () => {
    answers = { a: [refuse(500), refuse(500)] };
    await run([option(['a'], { retries: 5 })], { deadlineMs: start + 150 });
    expect(waits).toEqual([100]);
  });

  test('are not made of a request that is wrong, nor with a key that is refused', async () => {
    answers = { a: [refuse(400), refuse(401)] };
    await run([option(['a'], { retries: 5 })]);
    await run([option(['a'], { retries: 5 })]);
    expect(sent).toEqual(['a', 'a']);
  });

  test('are not waited for by nobody', async () => {
    answers = { a: [refuse(500)] };
    const leaving = () => AbortSignal.abort();
    await run([option(['a'], { retries: 5 })], { leaving, mayRetry: () => sent.length === 0 || waits.length > 0 });
    expect([sent, waits]).toEqual([['a'], []]);
  });

  test('end when the client has gone', async () => {
    answers = { a: [refuse(500), refuse(500)] };
    await run([option(['a'], { retries: 5 })], { mayRetry: () => waits.length === 0 });
    expect(sent).toEqual(['a']);
  });

  test('are bounded with all other attempts', async () => {
    answers = { a: Array.from({ length: 20 }, () => refuse(500)) };
    expect((await run([option(['a'], { retries: 7 })])).failed).toHaveLength(8);
  });
});

describe('fallbacks', () => {
  const general = (name: string, changes: Partial<RouteOption> = {}) =>
    option([name], {}, { after: 'general', ...changes });

  test('come after the deployments of the route, at their own bodies', async () => {
    answers = { a: [refuse(500)], b: [new TransportError('unreachable', 'x')] };
    const result = await run([option(['a', 'b']), general('c'), general('d')]);
    expect(result).toMatchObject({ kind: 'accepted', value: 'c', attempt: { option: 1, number: 3 } });
  });

  test('are passed over if they may not be sold', async () => {
    answers = { a: [refuse(500)] };
    const entered: string[] = [];
    const enter = (name: string, may: boolean) => () => {
      entered.push(name);
      return Promise.resolve(may);
    };
    const result = await run([
      option(['a'], {}, { enter: enter('a', false) }),
      general('b', { enter: enter('b', false) }),
      general('c', { enter: enter('c', true) }),
      general('d', { enter: enter('d', true) }),
    ]);
    expect(result).toMatchObject({ kind: 'accepted', value: 'c' });
    expect(sent).toEqual(['a', 'c']);
    expect(entered).toEqual(['b', 'c']);
  });

  test('of a prompt that is too long, and of a content that is refused, are their own', async () => {
    const options = () => [
      option(['a', 'other']),
      general('b'),
      option(['c'], {}, { after: 'context_window' }),
      option(['d'], {}, { after: 'content_policy' }),
    ];
    answers = { a: [contextError(), policyError(), refuse(422)] };
    expect(await run(options())).toMatchObject({ value: 'c' });
    expect(await run(options())).toMatchObject({ value: 'd' });
    expect(await run(options())).toMatchObject({ kind: 'refused', refusal: { status: 422 } });
    expect(sent).toEqual(['a', 'c', 'a', 'd', 'a']);
  });

  test('may follow each other, each for the failure before', async () => {
    answers = { a: [contextError()], c: [refuse(500)] };
    const options = [option(['a']), general('b'), option(['c'], {}, { after: 'context_window' })];
    expect(await run(options)).toMatchObject({ value: 'b' });
    expect(sent).toEqual(['a', 'c', 'b']);
  });

  test('tell the last failure if none answers', async () => {
    answers = { a: [refuse(500)], b: [refuse(503)] };
    expect(await run([option(['a']), general('b')])).toMatchObject({ kind: 'refused', refusal: { status: 503 } });
  });
});

describe('what rests', () => {
  test('is passed over after too many failures, and tried again by one call', async () => {
    answers = { a: Array.from({ length: 4 }, () => refuse(500)) };
    for (let call = 0; call < 6; call += 1) await run([option(['a', 'b'])]);
    expect(sent.join('')).toBe('abababab'.concat('bb'));
    nowMs += 5_000;
    sent = [];
    await Promise.all([run([option(['a', 'b'])]), run([option(['a', 'b'])])]);
    expect(sent.sort()).toEqual(['a', 'b']);
  });

  test('as long as a provider asks for', async () => {
    answers = { a: [refuse(429, { 'retry-after': '30' })] };
    await run([option(['a', 'b'])]);
    nowMs += 29_000;
    await run([option(['a', 'b'])]);
    expect(sent.join('')).toBe('abb');
    nowMs += 2_000;
    await run([option(['a', 'b'])]);
    expect(sent.join('')).toBe('abba');
  });

  test('with its key, if that is refused', async () => {
    const twice = ['one', 'two'].map((model) => ({ ...deployment(model), id: 'p@x' }));
    answers = { one: [refuse(403)] };
    expect(await run([option([...twice, 'b'])])).toMatchObject({ value: 'b' });
    expect(sent).toEqual(['one', 'b']);
  });

  test('with its account, if that has no money, whatever the status: the client hears nothing of it', async () => {
    const broke = () => refuse(429, {}, '{"error":{"message":"check your plan","code":"insufficient_quota"}}');
    answers = { a: [broke(), broke()] };
    expect(await run([option(['a', 'b'], { retries: 2 })])).toMatchObject({ value: 'b' });
    expect(await run([option(['a', 'b'])])).toMatchObject({ value: 'b' });
    expect(sent.join('')).toBe('abb');
    expect(await run([option(['a'], { retries: 2 })])).toMatchObject({ kind: 'failed', failure: 'unusable' });
    expect(waits).toEqual([]);
  });

  test('if it answers with nothing: others may say more, and no repetition helps', async () => {
    const accept = async () => {
      throw new EmptyAnswer();
    };
    const ask = [option(['a', 'b'], { retries: 3 })];
    for (let call = 0; call < 5; call += 1) {
      expect(await run(ask, { accept })).toMatchObject({
        kind: 'failed',
        failure: 'unusable',
        retries: { attempts: 2 },
      });
    }
    expect(waits).toEqual([]);
    // Whoever sends what its filters refuse does not take it from the others.
    expect(await run(ask)).toMatchObject({ value: 'a' });
  });

  test('if its model is not there: others may have it, and no repetition helps', async () => {
    const missing = () => refuse(404, {}, '{"error":{"message":"m","code":"model_not_found"}}');
    answers = { a: Array.from({ length: 5 }, missing) };
    for (let call = 0; call < 5; call += 1) await run([option(['a', 'b'])]);
    expect(sent.join('')).toBe('ababababb');
    const result = await run([option(['a'], { retries: 3 })]);
    expect(result).toMatchObject({ kind: 'refused', refusal: { status: 404 }, retries: { attempts: 1 } });
  });

  test('is asked all the same if it alone could answer: its own refusal says more', async () => {
    answers = { a: Array.from({ length: 9 }, () => refuse(500)) };
    for (let call = 0; call < 9; call += 1) await run([option(['a'])]);
    expect(sent).toHaveLength(9);
  });

  test('leaves nothing to try, and the time when there will be', async () => {
    const limited = deployment('a', { rpm: 1 });
    await run([option([limited])]);
    nowMs += 20_000;
    const result = await run([option([limited])]);
    expect(result).toMatchObject({ kind: 'unavailable', failed: [], retries: { attempts: 0 } });
    expect(result.kind === 'unavailable' && Math.ceil(result.retryAfterMs / 1_000)).toBe(40);
  });

  test('or is at its limit gives way to a fallback', async () => {
    const limited = deployment('a', { rpm: 1 });
    const options = [option([limited]), option(['b'], {}, { after: 'general' })];
    await run(options);
    expect(await run(options)).toMatchObject({ value: 'b', attempt: { option: 1, number: 1 } });
  });

  test('is freed when an attempt has ended, by its report or by the end of the call', async () => {
    const limited = deployment('a', { maxConcurrentCalls: 1 });
    const first = await run([option([limited])]);
    expect((await run([option([limited])])).kind).toBe('unavailable');
    if (first.kind === 'accepted') first.attempt.report({ outcome: 'ok', usage: null, usageFault: null });
    const controller = new AbortController();
    expect((await run([option([limited])], { signal: controller.signal })).kind).toBe('accepted');
    controller.abort();
    expect((await run([option([limited])])).kind).toBe('accepted');
  });
});

test('an answer that breaks after it was accepted counts against its deployment', async () => {
  const once = async (): Promise<string | undefined> => {
    const result = await run([option(['a', 'b'])]);
    if (result.kind !== 'accepted') return undefined;
    const isA = result.value === 'a';
    result.attempt.report({ outcome: isA ? 'truncated' : 'ok', usage: null, usageFault: null });
    return result.value;
  };
  const answered: (string | undefined)[] = [];
  for (let call = 0; call < 6; call += 1) answered.push(await once());
  expect(answered.join('')).toBe('aaaabb');
});

test('a deployment that told impossible usage rests, though its answer was whole', async () => {
  const once = async (usageFault: 'above_bound' | null): Promise<string | undefined> => {
    const result = await run([option(['a', 'b'])]);
    if (result.kind !== 'accepted') return undefined;
    result.attempt.report({ outcome: 'ok', usage: null, usageFault });
    return result.value;
  };
  expect([await once(null), await once('above_bound'), await once(null)]).toEqual(['a', 'a', 'b']);
});

describe('a hedge', () => {
  const hedged = { hedgeAfterMs: 50 };
  /** Answers when it is given up. */
  const hang: Answer = ({ signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(new TransportError('aborted', 'x'))));

  test('asks a second deployment; the slower one is given up, and recorded', async () => {
    answers = { a: [hang] };
    const result = await run([option(['a', 'b'], hedged)]);
    expect(result).toMatchObject({
      ...{ kind: 'accepted', value: 'b', attempt: { number: 2 } },
      failed: [{ number: 1, deployment: 'a@x', outcome: 'aborted', status: null }],
      retries: { attempts: 2 },
    });
    expect(health.describe(deployment('a'), false).inFlight).toBe(0);
  });

  test('leaves the first one its chance: a second that fails is recorded, and the first still answers', async () => {
    const gate = Promise.withResolvers<UpstreamResponse>();
    answers = { a: [() => gate.promise], b: [refuse(500)] };
    const running = run([option(['a', 'b'], hedged)]);
    setTimeout(() => gate.resolve(makeResponse(['{}'])), 5);
    expect(await running).toMatchObject({
      kind: 'accepted',
      value: 'a',
      attempt: { number: 1 },
      failed: [{ number: 2 }],
    });
  });

  test('asks nobody twice, and nobody at all where the first is quick', async () => {
    expect(await run([option(['a'], hedged)])).toMatchObject({ value: 'a', failed: [] });
    answers = { a: [hang], b: [refuse(500)] };
    const signal = AbortSignal.timeout(20);
    const result = await run([option(['a', 'b'], hedged)], { signal });
    expect(result).toMatchObject({ kind: 'failed', failure: 'aborted', failed: [{ number: 1 }, { number: 2 }] });
    expect(sent).toEqual(['a', 'a', 'b']);
  });
});

describe('time-outs of an attempt', () => {
  const hang: Answer = ({ signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

  test('of the whole attempt, and of a stream’s first chunk, lead to the next deployment', async () => {
    answers = { a: [hang, hang] };
    const slow = deployment('a', { timeouts: { attemptMs: 10 } });
    expect(await run([option([slow, 'b'])])).toMatchObject({ value: 'b', failed: [{ outcome: 'timeout' }] });
    const options = [option(['a', 'b'], { timeouts: { firstByteMs: 10 } })];
    expect(await run(options, { stream: true })).toMatchObject({ value: 'b', failed: [{ outcome: 'timeout' }] });
  });

  test('go to the transport, those of the deployment before those of the route', async () => {
    const seen: UpstreamRequest['timeouts'][] = [];
    const note: Answer = ({ timeouts }) => {
      seen.push(timeouts);
      return Promise.resolve(makeResponse(['{}']));
    };
    answers = { a: [note, note, note] };
    const own = deployment('a', { timeouts: { idleMs: 3_000 } });
    const routes = [option([own], { timeouts: { firstByteMs: 7_000, idleMs: 9_000, attemptMs: 300_000 } })];
    await run(routes, { stream: true });
    // Of JSON the headers come with the answer: all of the attempt's time is for them.
    await run(routes);
    await run([option([own], { timeouts: { attemptMs: 300_000 } })], { stream: true });
    expect(seen).toEqual([
      { headersMs: 7_000, idleMs: 3_000 },
      { headersMs: 300_000, idleMs: 3_000 },
      { headersMs: 300_000, idleMs: 3_000 },
    ]);
  });
});
