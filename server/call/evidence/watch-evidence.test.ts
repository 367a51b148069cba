import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { EvidenceTier } from '../../../protocol/receipt/call-receipt.ts';
import { createRouter } from '../../routing/create-router.ts';
import {
  clock,
  completion,
  FakeLedger,
  makeCallDeps,
  makeRequest,
  makeResponse,
  makeRoute,
  makeTransport,
  MemorySink,
  streamEvents,
} from '../call-fixtures.ts';
import { AnswerCache } from '../cache/answer-cache.ts';
import { serveCall } from '../cache/serve-call.ts';
import { handleCall } from '../handle-call.ts';
import { maxLateFailures } from '../late-failures.ts';
import type { ChooseRoutes } from '../route-choice.ts';
import type { UpstreamResponse } from '../transport.ts';
import type { CallDeps, Route } from '../types.ts';
import type { EvidenceCollector, Exchange } from './evidence-collector.ts';

const json = JSON.stringify(completion);
const sha256 = (text: string) => `0x${createHash('sha256').update(text).digest('hex')}`;
const deployments = ['first', 'second'].map((region) => ({ id: `p@${region}`, provider: 'p', model: 'sim-small' }));

/** Calls whose evidence shows these tiers, one after the other, on a route that may demand one. */
function prepare(options: {
  tiers: EvidenceTier[];
  answers: UpstreamResponse[];
  minimum?: EvidenceTier;
  changes?: Partial<CallDeps>;
  route?: Route;
}) {
  const { answers, minimum, tiers } = options;
  const exchanges: Exchange[] = [];
  const evidence: EvidenceCollector = {
    planFor: ({ provider }) =>
      provider !== 'p'
        ? undefined
        : {
            keep: { part: 'beginning', bytes: 1_000_000 },
            members: new Map([['include_proof', 'true']]),
            collect(exchange) {
              exchanges.push(exchange);
              const tier = tiers[exchanges.length - 1] ?? 'relay-signed';
              return Promise.resolve({ tier, stored: { body: `{"${tier}":1}`, attestation: null } });
            },
          },
  };
  const route = options.route ?? makeRoute({ deployments });
  const chooseRoutes: ChooseRoutes = () => ({
    routes: [{ route, deployments: route.deployments, after: null, ...(minimum && { minimumTiers: [minimum] }) }],
    rule: null,
  });
  const ledger = new FakeLedger();
  const transport = makeTransport(...answers);
  const router = createRouter({ transport, clock });
  const deps = makeCallDeps({ ledger, router, evidence, chooseRoutes, ...options.changes });
  return { deps, exchanges, ledger, sink: new MemorySink(), sent: transport.sent };
}

const body = { model: 'small', messages: [{ role: 'user', content: 'Hi' }] };
const stream = () => makeResponse(streamEvents, { headers: { 'content-type': 'text/event-stream' } });

test('the receipt says what was shown of the exact bytes, and the evidence is stored with the charge', async () => {
  const { deps, exchanges, ledger, sink } = prepare({ tiers: ['provider-signed'], answers: [makeResponse([json])] });
  const request = makeRequest(body);
  await handleCall(deps, request, sink);
  expect(ledger.charged[0]).toMatchObject({
    receipt: { evidenceTier: 'provider-signed' },
    evidence: { body: '{"provider-signed":1}', attestation: null },
  });
  expect(sink.headers['x-autopay-evidence-tier']).toBe('provider-signed');
  expect(exchanges).toMatchObject([
    {
      callId: request.callId,
      responseDigest: sha256(json),
      isClientsRequest: false,
      stream: false,
      completionTokens: 5,
    },
  ]);
});

test('a stream is digested to its very end, and its last event waits for the evidence', async () => {
  const { deps, exchanges, ledger, sink } = prepare({ tiers: ['tee-attested'], answers: [stream()] });
  const gate = Promise.withResolvers<void>();
  const plan = deps.evidence?.planFor.bind(deps.evidence);
  const waiting: CallDeps = {
    ...deps,
    evidence: {
      planFor(deployment) {
        const inner = plan?.(deployment);
        return inner && { ...inner, collect: (exchange) => gate.promise.then(() => inner.collect(exchange)) };
      },
    },
  };
  const running = handleCall(waiting, makeRequest({ ...body, stream: true }), sink);
  await expect.poll(() => sink.text).toContain('Hello');
  expect([sink.ended, ledger.charged.length]).toEqual([false, 0]);
  gate.resolve();
  await running;
  expect(exchanges).toMatchObject([{ responseDigest: sha256(streamEvents.join('')), stream: true }]);
  expect(ledger.charged[0]?.receipt.evidenceTier).toBe('tee-attested');
  expect(sink.text.endsWith('data: [DONE]\n\n')).toBe(true);
});

test('an answer of a deployment without evidence waits for nothing, though others of its route have some', async () => {
  const open = Promise.withResolvers<void>();
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (const event of streamEvents) yield Buffer.from(event);
    // Its provider keeps the connection.
    await open.promise;
  }
  const plain = { id: 'q@local', provider: 'q', model: 'sim-small' };
  const route = makeRoute({ deployments: [plain, ...deployments] });
  const answers = [{ ...stream(), body: pieces() }];
  const { deps, exchanges, ledger, sink } = prepare({ tiers: [], answers, route });
  const running = handleCall(deps, makeRequest({ ...body, stream: true }), sink);
  const first = await Promise.race([running.then(() => 'answered'), sleep(500, 'waiting')]);
  open.resolve();
  await running;
  expect(first).toBe('answered');
  expect([exchanges, ledger.charged[0]?.receipt.deployment]).toEqual([[], 'q@local']);
});

test('an answer with less than is demanded is a failed attempt; the next deployment’s is charged', async () => {
  const answers = [makeResponse([json]), makeResponse([json])];
  const tiers: EvidenceTier[] = ['relay-signed', 'provider-signed'];
  const { deps, ledger, sink } = prepare({ tiers, answers, minimum: 'provider-signed' });
  await handleCall(deps, makeRequest(body), sink);
  expect(ledger.charged[0]).toMatchObject({ receipt: { deployment: 'p@second', evidenceTier: 'provider-signed' } });
  expect(ledger.charged[0]?.attempts.map(({ outcome }) => outcome)).toEqual(['refused', 'ok']);
});

test('where none shows enough, JSON is refused and nothing is charged', async () => {
  const answers = [makeResponse([json]), makeResponse([json])];
  const { deps, ledger, sink } = prepare({ tiers: [], answers, minimum: 'provider-signed' });
  await expect(handleCall(deps, makeRequest(body), sink)).rejects.toMatchObject({
    code: 'evidence_too_low',
    status: 502,
  });
  expect([ledger.charged, ledger.released.map(({ reason }) => reason)]).toEqual([[], ['evidence_too_low']]);
});

test('a stream that turns out to have less ends with an error, uncharged, and never with its last event', async () => {
  const { deps, ledger, sink } = prepare({ tiers: [], answers: [stream()], minimum: 'provider-signed' });
  await handleCall(deps, makeRequest({ ...body, stream: true }), sink);
  expect([ledger.charged, ledger.released.map(({ reason }) => reason)]).toEqual([[], ['evidence_too_low']]);
  expect(sink.destroyed).toBe(true);
  expect(sink.text).toContain('evidence_too_low');
  expect(sink.text).not.toContain('[DONE]');
});

test('whoever demands evidence cannot leave out what brings it; whoever does not is asked for nothing', async () => {
  const asked = { ...body, include_proof: false };
  for (const [minimum, expected] of [
    ['provider-signed', true],
    [undefined, false],
  ] as const) {
    const { deps, exchanges, sent, sink } = prepare({
      ...{ tiers: ['provider-signed'], answers: [stream()] },
      ...(minimum && { minimum }),
    });
    await handleCall(deps, makeRequest({ ...asked, stream: true }), sink);
    expect(sent.map((text) => JSON.parse(text) as unknown)).toMatchObject([{ include_proof: expected, stream: true }]);
    expect(exchanges[0]?.requestDigest).toBe(sha256(sent[0] ?? ''));
  }
});

test('evidence is held against the tokens that are billed, whatever the provider says', async () => {
  const silent = JSON.stringify({ ...completion, usage: undefined });
  for (const [answer, changes] of [
    [silent, {}],
    [json, { max_completion_tokens: 3 }],
  ] as const) {
    const { deps, exchanges, ledger, sink } = prepare({ tiers: [], answers: [makeResponse([answer])] });
    await handleCall(deps, makeRequest({ ...body, ...changes }), sink);
    const billed = ledger.charged[0]?.receipt.usage.completion;
    expect([billed, exchanges[0]?.completionTokens]).toEqual([expect.any(Number), billed]);
    expect(billed).toBeLessThan(5);
  }
});

test('a route that is offered twice, once with a demand, has to meet it', async () => {
  const route = makeRoute({ deployments });
  const chosen = { route, deployments };
  const chooseRoutes: ChooseRoutes = () => ({
    routes: [
      { ...chosen, after: null },
      { ...chosen, after: 'context_window', minimumTiers: ['provider-signed'] },
    ],
    rule: null,
  });
  const answers = [makeResponse([json]), makeResponse([json])];
  const { deps, ledger, sink } = prepare({ tiers: [], answers, changes: { chooseRoutes } });
  await expect(handleCall(deps, makeRequest(body), sink)).rejects.toMatchObject({ code: 'evidence_too_low' });
  expect(ledger.charged).toEqual([]);
});

test('answers that lack what is demanded cost the relay, so a payer may have so many of them only', async () => {
  const { deps } = prepare({ tiers: [], answers: [], minimum: 'provider-signed' });
  for (let count = 0; count < maxLateFailures; count += 1) {
    const transport = makeTransport(makeResponse([json]), makeResponse([json]));
    const one = { ...deps, router: createRouter({ transport, clock }) };
    const call = handleCall(one, makeRequest(body), new MemorySink());
    await expect(call).rejects.toMatchObject({ code: 'evidence_too_low' });
  }
  const refused = handleCall(deps, makeRequest(body), new MemorySink());
  await expect(refused).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
});

test('what is broken off has no evidence, and is charged as what was read of it', async () => {
  const limits = { maxResponseBytes: 20, callTimeoutMs: 10_000, idleTimeoutMs: 5_000, drainTimeoutMs: 2_000 };
  const options = { tiers: [], answers: [makeResponse([json])], changes: { limits } };
  const { deps, exchanges, ledger, sink } = prepare({ ...options, minimum: 'provider-signed' });
  await expect(handleCall(deps, makeRequest(body), sink)).rejects.toMatchObject({ code: 'answer_too_long' });
  expect(exchanges).toEqual([]);
  expect(ledger.charged[0]).toMatchObject({ receipt: { evidenceTier: 'relay-signed' }, evidence: null });
});

test('a demand is not met from the cache; a hit without one is the relay’s word', async () => {
  const terms = { ttlMs: 60_000, scope: 'payer', model: 'small@cache', prices: makeRoute().prices ?? [] } as const;
  const route = makeRoute({ deployments, cache: terms });
  const cache = new AnswerCache({ maxBytes: 100_000 });
  const tiersAndHits: unknown[] = [];
  for (const minimum of [undefined, undefined, 'provider-signed'] as const) {
    const tiers: EvidenceTier[] = ['provider-signed'];
    const answers = [makeResponse([json])];
    const { deps, ledger, sink } = prepare({ tiers, answers, route, changes: { cache }, ...(minimum && { minimum }) });
    await serveCall(deps, makeRequest(body), sink);
    tiersAndHits.push([sink.headers['x-autopay-cache'], ledger.charged[0]?.receipt.evidenceTier]);
  }
  expect(tiersAndHits).toEqual([
    ['miss', 'provider-signed'],
    ['hit', 'relay-signed'],
    [undefined, 'provider-signed'],
  ]);
});

test('who demands what a provider cannot show does not take it from those who do not', async () => {
  const transport = makeTransport(...Array.from({ length: 11 }, () => makeResponse([json])));
  const router = createRouter({ transport, clock });
  for (let count = 0; count < 5; count += 1) {
    const { deps, sink } = prepare({ tiers: [], answers: [], minimum: 'provider-signed', changes: { router } });
    await expect(handleCall(deps, makeRequest(body), sink)).rejects.toMatchObject({ code: 'evidence_too_low' });
  }
  const { deps, ledger, sink } = prepare({ tiers: [], answers: [], changes: { router } });
  await handleCall(deps, makeRequest(body), sink);
  expect(ledger.charged[0]?.receipt.deployment).toBe('p@first');
});
