import { describe, expect, test } from 'vitest';
import { zeroAddress } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { createRouteChooser } from '../routing/choose-routes.ts';
import { createRouter } from '../routing/create-router.ts';
import {
  clock,
  completion,
  directPayment,
  FakeLedger,
  makeCallDeps,
  makeChannel,
  makeFunds,
  makePriceList,
  makeRequest,
  makeResponse,
  makeRoute,
  makeStream,
  makeTransport,
  MemorySink,
  streamEvents,
  token,
  unpaid,
  usdToken,
  wideBudgets,
} from './call-fixtures.ts';
import { handleCall } from './handle-call.ts';
import { readQuotes } from './quote-tokens.ts';
import { plainDeployment, plainRoute, type RouteTerms } from './routing-terms.ts';
import type { UpstreamResponse } from './transport.ts';
import type { Admission, CallDeps, Route } from './types.ts';

/** What a call costs that may be answered, and charged, as another model than the one that was asked for. */

/** A route at `price` times the fixture's, which is 1 for a prompt token and 2 for one of the completion; 0: free. */
function route(model: string, price: number, general: string[] = [], terms: Partial<RouteTerms> = {}): Route {
  const rows = makeRoute().prices?.map((row) => ({
    ...{ ...row, model, prompt: row.prompt * BigInt(price), completion: row.completion * BigInt(price) },
  }));
  return makeRoute({
    ...{ model, prices: price === 0 ? null : (rows ?? null) },
    deployments: [{ id: `${model}@x`, provider: model, model: `up-${model}` }],
    terms: { ...plainRoute, fallbacks: { ...plainRoute.fallbacks, general }, ...terms },
  });
}

const fail = (): UpstreamResponse => makeResponse(['{}'], { status: 500 });
const answer = (): UpstreamResponse => makeResponse([JSON.stringify(completion)]);
const ask = { model: 'a', messages: [{ role: 'user', content: 'Hi' }], max_completion_tokens: 100 };

interface Setup {
  routes: Route[];
  answers?: UpstreamResponse[];
  body?: object;
  payment?: Partial<Admission>;
  deps?: Partial<CallDeps>;
}

function makeDeps({ routes: listed, answers = [], deps = {} }: Setup) {
  const ledger = new FakeLedger();
  const transport = makeTransport(...answers);
  const routes = new Map(listed.map((one) => [one.model, one]));
  const chooseRoutes = createRouteChooser({ routes, rules: [] });
  const router = createRouter({ transport, clock });
  return { ledger, transport, deps: makeCallDeps({ ledger, router, routes, chooseRoutes, ...deps }) };
}

async function run(setup: Setup, prepare: (ledger: FakeLedger) => void = () => undefined) {
  const { ledger, transport, deps } = makeDeps(setup);
  prepare(ledger);
  const sink = new MemorySink();
  const request = makeRequest({ ...ask, ...setup.body }, setup.payment);
  const error: unknown = await handleCall(deps, request, sink).catch((thrown: unknown) => thrown);
  return { ledger, sent: transport.sent, sink, error, finished: deps.finished };
}

/** Of the body of `ask` with whatever is added: its bytes and the template bound the prompt. */
const quoteOf = (body: object, price: number) => {
  const bytes = Buffer.byteLength(JSON.stringify({ ...ask, ...body }));
  return BigInt(price * (bytes + 64 + 2 * 100));
};

describe('a call with fallbacks', () => {
  test('is held at the dearest route that may answer', async () => {
    const routes = [route('a', 1, ['b', 'c']), route('b', 7), route('c', 3)];
    const { ledger } = await run({ routes, answers: [answer()] });
    expect(ledger.reserved).toMatchObject([{ quote: quoteOf({}, 7), model: 'a' }]);
    expect(ledger.moved).toEqual([]);
    expect(ledger.charged).toMatchObject([{ metered: 20n, receipt: { modelAsked: 'a' } }]);
  });

  test('is charged at the price of the route that answered, in its model’s name and budget', async () => {
    const asked: object[] = [];
    const budgets: CallDeps['budgets'] = {
      terms(what) {
        asked.push(what);
        return { ...wideBudgets.terms(what), limitAgpt: what.model === 'a' ? 1n : 2n };
      },
    };
    const routes = [route('a', 1, ['b']), route('b', 7)];
    const { ledger, sink, sent, finished } = await run({ routes, answers: [fail(), answer()], deps: { budgets } });
    expect(asked).toMatchObject([
      { model: 'a', token },
      { model: 'b', token },
    ]);
    expect(ledger.reserved).toMatchObject([{ model: 'a', budget: { limitAgpt: 1n } }]);
    expect(ledger.moved).toMatchObject([{ model: 'b', budget: { limitAgpt: 2n } }]);
    const [charge] = ledger.charged;
    expect(charge).toMatchObject({ metered: 140n, receipt: { modelAsked: 'b', provider: 'b', deployment: 'b@x' } });
    expect(charge?.attempts).toMatchObject([
      { number: 1, provider: 'a', outcome: 'refused', status: 500, usage: null },
      { number: 2, provider: 'b', outcome: 'ok' },
    ]);
    expect(sent.map((body) => (JSON.parse(body) as { model: string }).model)).toEqual(['up-a', 'up-b']);
    expect(sink.headers).toMatchObject({
      ...{ 'x-autopay-route': 'b', 'x-autopay-deployment': 'b@x', 'x-autopay-attempts': '2' },
      ...{ 'x-autopay-cost': '140', 'x-autopay-fallbacks': 'b' },
      'x-autopay-retries': '{"attempts":2,"total_sleep_s":0,"last_retry_after_s":null}',
    });
    expect(finished).toMatchObject([{ model: 'b', outcome: 'charged' }]);
  });

  test('is never charged above the quote of the route that answered, though a dearer one is held', async () => {
    const routes = [route('a', 1, ['b']), route('b', 7)];
    const told = { ...completion, usage: { prompt_tokens: 1_000_000, completion_tokens: 1_000_000 } };
    const { ledger } = await run({ routes, answers: [makeResponse([JSON.stringify(told)])] });
    expect(ledger.reserved).toMatchObject([{ quote: quoteOf({}, 7) }]);
    expect(ledger.charged).toMatchObject([{ metered: quoteOf({}, 1), receipt: { modelAsked: 'a' } }]);
  });

  test('passes over a model whose own budget is spent, or is not known: it is not asked', async () => {
    const routes = [route('a', 1, ['b', 'c', 'd']), route('b', 1), route('c', 1), route('d', 1)];
    const budgets: CallDeps['budgets'] = {
      terms(what) {
        if (what.model === 'c') throw new AutoPayError('budgets_unknown', 'x');
        return wideBudgets.terms(what);
      },
    };
    const { ledger, sent } = await run({ routes, answers: [fail(), answer()], deps: { budgets } }, (books) => {
      books.onMove = ({ model }) =>
        model === 'b' ? { ok: false, spending: { charged: 0n, reserved: 0n, quote: 1n } } : undefined;
    });
    expect(ledger.moved.map(({ model }) => model)).toEqual(['b', 'd']);
    expect(sent).toHaveLength(2);
    expect(ledger.charged).toMatchObject([{ receipt: { modelAsked: 'd' } }]);
  });

  test('that none of them answers is charged nothing, and every attempt is recorded', async () => {
    const routes = [route('a', 1, ['b']), route('b', 7)];
    const { error, ledger } = await run({ routes, answers: [fail(), fail()] });
    expect(error).toMatchObject({ status: 500, headers: { 'x-autopay-attempts': '2' } });
    expect(ledger.charged).toEqual([]);
    expect(ledger.released).toMatchObject([{ reason: 'upstream_error', attempts: [{ number: 1 }, { number: 2 }] }]);
  });

  test('is no other call when the books fail between two routes', async () => {
    const routes = [route('a', 1, ['b']), route('b', 7)];
    const { error, ledger, sent } = await run({ routes, answers: [fail()] }, (books) => {
      books.onMove = () => {
        throw new AutoPayError('internal_error', 'the disk is full');
      };
    });
    expect(error).toMatchObject({ code: 'internal_error' });
    expect(sent).toHaveLength(1);
    expect(ledger.charged).toEqual([]);
    expect(ledger.released).toHaveLength(1);
  });
});

describe('fallback_models of the request', () => {
  const routes = [route('a', 1), route('b', 7)];
  const body = { fallback_models: ['b'] };

  test('are quoted, tried, and not sent on', async () => {
    const { ledger, sent } = await run({ routes, body, answers: [fail(), answer()] });
    expect(ledger.reserved).toMatchObject([{ quote: quoteOf(body, 7) }]);
    expect(ledger.charged).toMatchObject([{ metered: 140n, receipt: { modelAsked: 'b' } }]);
    for (const upstream of sent) expect(upstream).not.toContain('fallback_models');
  });

  test('are told in the quotes of a 402', () => {
    const { deps } = makeDeps({ routes });
    const request = makeRequest({ ...ask, ...body }, unpaid);
    expect(readQuotes(deps, request)?.get(token)).toBe(quoteOf(body, 7));
  });

  test.each([
    [{ fallback_models: 'b' }, 'invalid_request'],
    [{ fallback_models: [7] }, 'invalid_request'],
    [{ fallback_models: Array(9).fill('b') }, 'invalid_request'],
    [{ fallback_models: ['nothing'] }, 'model_not_found'],
    [{ Fallback_models: ['b'] }, 'invalid_request'],
  ])('%o is refused', async (wrong, code) => {
    const { error, ledger } = await run({ routes, body: wrong });
    expect(error).toMatchObject({ code });
    expect(ledger.reserved).toEqual([]);
  });

  test('are left out where the payment may not buy them', async () => {
    const payment = { mayCall: (model: string) => model !== 'b' };
    const { ledger, error } = await run({ routes, body, payment, answers: [fail()] });
    expect(ledger.reserved).toMatchObject([{ quote: quoteOf(body, 1) }]);
    expect(error).toMatchObject({ status: 500 });
  });

  test('are refused as the first, if a rule put one in place of the asked model; `auto` stands for what it picks', async () => {
    const other = route('b', 7);
    const listed = [route('a', 1), other];
    const chosen = (rule: string | null, first = other): Partial<CallDeps> => ({
      chooseRoutes: () => ({ routes: [{ route: first, deployments: first.deployments, after: null }], rule }),
    });
    const payment = { mayCall: (model: string) => model === 'a' };
    const ruled = await run({ routes: listed, body, payment, answers: [answer()], deps: chosen('r') });
    expect(ruled).toMatchObject({ error: { code: 'model_not_allowed', status: 403 }, sent: [] });
    expect(ruled.ledger.reserved).toEqual([]);
    const cached = await run({
      ...{ routes: listed, body, answers: [answer()], deps: chosen('r', route('a@cache', 1)) },
      payment,
    });
    expect(cached.ledger.charged).toMatchObject([{ receipt: { modelAsked: 'a@cache' } }]);
    const picked = await run({ routes: listed, body, payment, answers: [answer()], deps: chosen(null) });
    expect(picked.ledger.charged).toMatchObject([{ receipt: { modelAsked: 'b' } }]);
  });

  test('may be free: then nothing is charged, in the token of the payment', async () => {
    const mixed = [route('a', 1), route('b', 0)];
    const { ledger } = await run({ routes: mixed, body, answers: [fail(), answer()] });
    expect(ledger.charged).toMatchObject([{ metered: 0n, receipt: { modelAsked: 'b', token } }]);
  });

  test('of a free model are free too, and take no budget', async () => {
    const free = [route('a', 0), route('b', 0)];
    const { ledger } = await run({ routes: free, body, payment: unpaid, answers: [fail(), answer()] });
    expect(ledger.moved).toMatchObject([{ model: 'b', budget: null }]);
    expect(ledger.charged).toMatchObject([{ metered: 0n, receipt: { modelAsked: 'b', token: zeroAddress } }]);
  });
});

describe('what is authorised', () => {
  const routes = [route('a', 1, ['b', 'c']), route('b', 7), route('c', 1)];
  const refuse = (code: 'insufficient_headroom' | 'model_budget_exceeded') => (books: FakeLedger) => {
    books.onReserve = ({ quote }) =>
      quote > quoteOf({}, 1)
        ? { ok: false, refusal: { code, channel: makeChannel(), requiredCumulative: quote } }
        : undefined;
  };

  test.each(['insufficient_headroom', 'model_budget_exceeded'] as const)(
    'too little for the dearest (%s) buys the model that was asked for, and those that are no dearer',
    async (code) => {
      const { ledger, sink } = await run({ routes, payment: directPayment(), answers: [answer()] }, refuse(code));
      expect(ledger.reserved.map(({ quote }) => quote)).toEqual([quoteOf({}, 7), quoteOf({}, 1)]);
      expect(sink.headers).toMatchObject({ 'x-autopay-route': 'a', 'x-autopay-fallbacks': 'c' });
    },
  );

  test('too little for the model itself is told with that model’s quote', async () => {
    const { error, ledger } = await run({ routes, payment: directPayment() }, (books) => {
      books.onReserve = ({ quote }) => ({
        ...{ ok: false, refusal: { code: 'insufficient_headroom', channel: null, requiredCumulative: quote } },
      });
    });
    expect(error).toMatchObject({ code: 'insufficient_headroom', facts: { quote: String(quoteOf({}, 1)) } });
    expect(ledger.reserved).toHaveLength(2);
  });

  test('shortens each answer to what it buys there, where the client set no limit', async () => {
    const body = { max_completion_tokens: undefined };
    const bytes = Buffer.byteLength(JSON.stringify({ ...ask, ...body })) + 64;
    // Buys 1,000 tokens of the first, and too few of the second.
    const cumulative = BigInt(bytes + 2 * 1_000);
    const payment = { funds: makeFunds(cumulative), channel: makeChannel() };
    const { ledger, sent } = await run({ routes, body, payment, answers: [answer()] });
    expect(ledger.reserved).toMatchObject([{ quote: cumulative }]);
    expect(sent[0]).toContain('"max_completion_tokens":1000');
  });
});

describe('a price ceiling', () => {
  const ceiling = (perMillion: bigint, inUsd = false, of = token): Partial<RouteTerms> => ({
    priceCeiling: { token: of, perMillion, inUsd },
  });

  test('that the price is at does not stop a call; above it nothing is sold, or asked payment for', async () => {
    // A completion token costs 2, so a million cost 2,000,000.
    const at = await run({ routes: [route('a', 1, [], ceiling(2_000_000n))], answers: [answer()] });
    expect(at.ledger.charged).toHaveLength(1);
    for (const payment of [{}, unpaid]) {
      const above = await run({ routes: [route('a', 1, [], ceiling(1_999_999n))], payment });
      expect(above.error).toMatchObject({
        ...{ code: 'price_above_ceiling', status: 503 },
        facts: { perMillionTokens: '2000000', ceilingPerMillionTokens: '1999999' },
      });
      expect(above.ledger.reserved).toEqual([]);
    }
  });

  test('holds for fallbacks too: those above it are passed over', async () => {
    const routes = [route('a', 1, ['b', 'c'], ceiling(6_000_000n)), route('b', 7), route('c', 3)];
    const { ledger } = await run({ routes, answers: [fail(), answer()] });
    expect(ledger.reserved).toMatchObject([{ quote: quoteOf({}, 3) }]);
    expect(ledger.charged).toMatchObject([{ receipt: { modelAsked: 'c' } }]);
  });

  test('in a token with an oracle is held against the price of the moment, whatever the call is paid in', async () => {
    // 0.02 US dollars for a million completion tokens; a token of 8 decimals costs half a dollar.
    const routes = [route('a', 1, [], ceiling(4_000_000n, false, usdToken))];
    expect((await run({ routes, answers: [answer()] })).ledger.charged).toHaveLength(1);
    const round = { answer: 25_000_000n, decimals: 8, roundId: 78n, updatedAt: 1 };
    const dearer = await run({ routes, deps: { prices: makePriceList({ round }) } });
    expect(dearer.error).toMatchObject({ code: 'price_above_ceiling' });
    const unknown = await run({ routes, deps: { prices: makePriceList({ round: undefined }) } });
    expect(unknown.error).toMatchObject({ code: 'price_unavailable' });
    const inUsd = [route('a', 1, [], ceiling(1_999_999n, true, usdToken))];
    expect((await run({ routes: inUsd })).error).toMatchObject({ code: 'price_above_ceiling' });
  });
});

test('where everything rests the client hears when to come again', async () => {
  const limited = route('a', 1);
  const deployments = limited.deployments.map((one) => ({ ...one, terms: { ...plainDeployment, rpm: 1 } }));
  const { deps, ledger } = makeDeps({ routes: [{ ...limited, deployments }], answers: [answer()] });
  await handleCall(deps, makeRequest(ask), new MemorySink());
  const again = handleCall(deps, makeRequest(ask), new MemorySink());
  await expect(again).rejects.toMatchObject({
    ...{ code: 'no_deployment_available', status: 503, headers: { 'x-autopay-attempts': '0' } },
    facts: { retryAfterSeconds: expect.any(Number) },
  });
  expect(ledger.released).toMatchObject([{ reason: 'no_deployment_available', attempts: [] }]);
});

test('a deployment that takes one call at a time is free again after each, answered, broken or given up', async () => {
  const one = { id: 'a@x', provider: 'a', model: 'up-a', terms: { ...plainDeployment, maxConcurrentCalls: 1 } };
  const answers = [answer(), fail(), makeResponse(['{"choices":[]']), makeStream([streamEvents[1] ?? '']), answer()];
  const { deps, ledger } = makeDeps({ routes: [{ ...route('a', 1), deployments: [one] }], answers });
  const outcomes: unknown[] = [];
  for (const stream of [false, false, false, true, false]) {
    const sink = new MemorySink();
    const error: unknown = await handleCall(deps, makeRequest({ ...ask, stream }), sink).catch(
      (thrown: unknown) => thrown,
    );
    outcomes.push(error instanceof AutoPayError ? error.code : sink.ended);
  }
  expect(outcomes).toEqual([true, 'upstream_error', 'upstream_error', false, true]);
  expect(ledger.charged).toHaveLength(2);
});
