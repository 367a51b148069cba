import { expect, test } from 'vitest';
import { createRouter } from '../../routing/create-router.ts';
import {
  clock,
  completion,
  directPayment,
  FakeLedger,
  makeCallDeps,
  makeChannel,
  makeFunds,
  makeRequest,
  makeResponse,
  makeRoute,
  makeTransport,
  MemorySink,
} from '../call-fixtures.ts';
import { AnswerCache } from './answer-cache.ts';
import type { CacheTerms } from './cache-terms.ts';
import { serveCall } from './serve-call.ts';

const body = { model: 'small', messages: [{ role: 'user', content: 'Hi' }] };

test.each<[CacheTerms['scope'], string[]]>([
  ['payer', ['miss', 'miss', 'hit']],
  ['shared', ['miss', 'hit', 'hit']],
])('chains that have one cache, kept by %s: the same address on another is %o', async (scope, expected) => {
  const terms = { ttlMs: 60_000, scope, model: 'small@cache', prices: makeRoute().prices ?? [] };
  const answers = [completion, completion].map((answer) => makeResponse([JSON.stringify(answer)]));
  const home = makeCallDeps({
    ledger: new FakeLedger(),
    router: createRouter({ transport: makeTransport(...answers), clock }),
    routes: new Map([['small', makeRoute({ cache: terms })]]),
    cache: new AnswerCache({ maxBytes: 10_000 }),
  });
  const other = { ...home, chainId: home.chainId + 1 };
  const found: (string | undefined)[] = [];
  for (const deps of [home, other, other]) {
    const sink = new MemorySink();
    // As at /chains/<id>, where no payment names its chain.
    await serveCall(deps, makeRequest(body, directPayment()), sink);
    found.push(sink.headers['x-autopay-cache']);
  }
  expect(found).toEqual(expected);
});

test('an answer that is as short as its payer’s headroom is not sold to others', async () => {
  const terms: CacheTerms = { ttlMs: 60_000, scope: 'shared', model: 'small@cache', prices: makeRoute().prices ?? [] };
  const answers = [completion, completion].map((answer) => makeResponse([JSON.stringify(answer)]));
  const deps = makeCallDeps({
    ledger: new FakeLedger(),
    router: createRouter({ transport: makeTransport(...answers), clock }),
    routes: new Map([['small', makeRoute({ cache: terms })]]),
    cache: new AnswerCache({ maxBytes: 10_000 }),
  });
  const found: unknown[] = [];
  for (const signed of [3_000n, 1_000_000n, 1_000_000n]) {
    const sink = new MemorySink();
    await serveCall(deps, makeRequest(body, { funds: makeFunds(signed), channel: makeChannel() }), sink);
    found.push([sink.headers['x-autopay-cache'], sink.headers['x-autopay-output-limit'] !== undefined]);
  }
  expect(found).toEqual([
    ['miss', true],
    ['miss', false],
    ['hit', false],
  ]);
});
