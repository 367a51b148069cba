import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { commit } from '../../protocol/receipt/commitments.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { createRouter } from '../routing/create-router.ts';
import {
  clock,
  completion,
  defer,
  directPayment,
  FakeLedger,
  limits,
  makeAdmission,
  makeChannel,
  makeCallDeps,
  makeRequest,
  makeResponse,
  makeRoute,
  makeStream,
  makeTransport,
  makeFunds,
  MemorySink,
  makePriceList,
  unpaid,
  usdToken,
  streamEvents,
  token,
} from './call-fixtures.ts';
import { digestAttempts } from './attempts-digest.ts';
import { handleCall } from './handle-call.ts';
import { lateFailureWindowMs, maxLateFailures } from './late-failures.ts';
import { readQuotes } from './quote-tokens.ts';
import type { OraclePrice, PriceList } from '../metering/price-list.ts';
import { TransportError, type Transport } from './transport.ts';
import type { Admission, CallDeps } from './types.ts';

const ask = { model: 'small', messages: [{ role: 'user', content: 'Hi' }] };
const askStream = { ...ask, stream: true };
const answerText = JSON.stringify(completion);

type DepsOptions = Omit<Parameters<typeof makeCallDeps>[0], 'router'> & { transport: Transport };

function makeDeps({ transport, ...rest }: DepsOptions): ReturnType<typeof makeCallDeps> {
  return makeCallDeps({ ...rest, router: createRouter({ transport, clock }) });
}

/** Enough turns of the event loop for everything that does not wait for a gate. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await turn();
}

describe('a repeat of a call that fails', () => {
  function repeat(renew: () => Promise<Admission>) {
    const ledger = new FakeLedger();
    ledger.findAnswer = () => Promise.resolve({ state: 'released', answer: null, signed: null, result: null });
    ledger.onReserve = ({ funds }) =>
      funds?.kind === 'direct' && funds.payment.available === null
        ? {
            ok: false,
            refusal: { code: 'idempotent_repeat', channel: null, requiredCumulative: 0n, usedByCallId: 'first' },
          }
        : undefined;
    const transport = makeTransport(makeResponse([answerText]));
    const request = makeRequest(ask, { ...directPayment({ available: null }), renew });
    return { ledger, transport, run: handleCall(makeDeps({ ledger, transport }), request, new MemorySink()) };
  }

  test('takes its place once its payment has been looked at again', async () => {
    const renewed = makeAdmission(directPayment({ available: 1_000_000n }));
    const { ledger, run, transport } = repeat(() => Promise.resolve(renewed));
    await run;
    expect(transport.sent).toHaveLength(1);
    expect(ledger.reserved.map(({ funds }) => funds)).toMatchObject([
      { payment: { available: null } },
      { payment: { available: 1_000_000n } },
    ]);
  });

  test('is refused where its payment is good no more', async () => {
    const gone = new AutoPayError('insufficient_funds', 'The wallet is empty.');
    const { run, transport } = repeat(() => Promise.reject(gone));
    await expect(run).rejects.toBe(gone);
    expect(transport.sent).toEqual([]);
  });
});

describe('durability', () => {
  test('the upstream is called before the reservation is durable, the client gets nothing until it is', async () => {
    for (const [body, answer] of [
      [ask, makeResponse([answerText])],
      [askStream, makeStream(streamEvents)],
    ] as const) {
      const ledger = new FakeLedger();
      const gate = defer();
      ledger.durable = gate.promise;
      const transport = makeTransport(answer);
      const sink = new MemorySink();
      const call = handleCall(makeDeps({ ledger, transport }), makeRequest(body), sink);
      await settle();
      expect(transport.sent).toHaveLength(1);
      expect(sink.events).toEqual([]);
      gate.resolve();
      await call;
      expect(sink.ended).toBe(true);
    }
  });

  test('a payment of its own is durable before the upstream is called', async () => {
    const ledger = new FakeLedger();
    const gate = defer();
    ledger.durable = gate.promise;
    const transport = makeTransport(makeResponse([answerText]));
    const call = handleCall(makeDeps({ ledger, transport }), makeRequest(ask, directPayment()), new MemorySink());
    await settle();
    expect([ledger.reserved.length, transport.sent.length]).toEqual([1, 0]);
    gate.resolve();
    await call;
    expect(transport.sent).toHaveLength(1);
  });

  test('an upstream’s refusal does not leave before the release is durable', async () => {
    const ledger = new FakeLedger();
    const gate = defer();
    ledger.releaseGate = gate.promise;
    const transport = makeTransport(makeResponse(['{"error":{"message":"no"}}'], { status: 400 }));
    const sink = new MemorySink();
    const call = handleCall(makeDeps({ ledger, transport }), makeRequest(ask), sink);
    await settle();
    expect(sink.events).toEqual([]);
    let answered = false;
    const answer = call.catch((error: unknown) => {
      answered = true;
      return error;
    });
    await settle();
    expect(answered).toBe(false);
    gate.resolve();
    expect(await answer).toMatchObject({ status: 400 });
  });

  test('nothing of a JSON answer leaves before the charge is durable', async () => {
    const ledger = new FakeLedger();
    const gate = defer();
    ledger.chargeGate = gate.promise;
    const sink = new MemorySink();
    const deps = makeDeps({ ledger, transport: makeTransport(makeResponse([answerText])) });
    const call = handleCall(deps, makeRequest(ask), sink);
    await settle();
    expect(ledger.charged).toHaveLength(1);
    expect(sink.events).toEqual([]);
    gate.resolve();
    await call;
    expect(sink.text).toBe(answerText);
  });

  test('of a stream everything but the end leaves before the charge, the end after it', async () => {
    const ledger = new FakeLedger();
    const gate = defer();
    ledger.chargeGate = gate.promise;
    const sink = new MemorySink();
    const deps = makeDeps({ ledger, transport: makeTransport(makeStream(streamEvents)) });
    const call = handleCall(deps, makeRequest(askStream), sink);
    await settle();
    expect(ledger.charged).toHaveLength(1);
    expect(sink.text).toContain('"finish_reason":"stop"');
    expect(sink.text).not.toContain('[DONE]');
    expect(sink.text).not.toContain('autopay-receipt');
    gate.resolve();
    await call;
    expect(sink.text).toMatch(/\n\n: autopay-receipt \S+\n\ndata: \[DONE\]\n\n$/);
  });

  test('a reservation that never becomes durable stops the upstream and answers nothing', async () => {
    for (const body of [ask, askStream]) {
      const ledger = new FakeLedger();
      const gate = defer();
      ledger.durable = gate.promise;
      let signal: AbortSignal | undefined;
      const transport = {
        send: (request: { signal: AbortSignal }) => {
          ({ signal } = request);
          return new Promise<never>((_, reject) => {
            request.signal.addEventListener('abort', () => reject(new TransportError('aborted', 'given up')));
          });
        },
      };
      const sink = new MemorySink();
      const deps = makeDeps({ ledger, transport });
      const call = handleCall(deps, makeRequest(body), sink);
      await settle();
      expect(signal?.aborted).toBe(false);
      gate.reject(new Error('disk full'));
      await expect(call).rejects.toMatchObject({ code: 'internal_error' });
      expect(signal?.aborted).toBe(true);
      expect(sink.events).toEqual([]);
      expect(ledger.charged).toEqual([]);
      expect(deps.finished).toMatchObject([{ outcome: 'failed', reason: 'internal_error' }]);
    }
  });

  test('a charge that fails answers a JSON call with an error, and breaks a stream off without [DONE]', async () => {
    for (const stream of [false, true]) {
      const ledger = new FakeLedger();
      const gate = defer();
      ledger.chargeGate = gate.promise;
      gate.reject(new Error('disk full'));
      const sink = new MemorySink();
      const transport = makeTransport(stream ? makeStream(streamEvents) : makeResponse([answerText]));
      const call = handleCall(makeDeps({ ledger, transport }), makeRequest(stream ? askStream : ask), sink);
      if (stream) await call;
      else await expect(call).rejects.toMatchObject({ code: 'internal_error', status: 500 });
      expect(ledger.released).toMatchObject([{ reason: 'internal_error' }]);
      if (!stream) expect(sink.events).toEqual([]);
      if (stream) expect(sink.text).toMatch(/data: {"error":{.*"code":"internal_error"}}\n\n$/);
      expect(sink.destroyed).toBe(stream);
      expect(sink.text).not.toContain('[DONE]');
    }
  });
});

describe('a charge', () => {
  test('says what was asked, served, metered and committed to', async () => {
    const ledger = new FakeLedger();
    const sink = new MemorySink();
    const request = makeRequest(ask);
    const deps = makeDeps({ ledger, transport: makeTransport(makeResponse([answerText])) });
    await handleCall(deps, request, sink);
    const [charge] = ledger.charged;
    if (!charge) throw new Error('nothing was charged');
    expect(charge.metered).toBe(20n);
    expect(charge.receipt).toMatchObject({
      token,
      priceRoot: deps.prices.root,
      oracleRound: 0n,
      usage: { prompt: 10, completion: 5 },
      usageKind: 'exact',
      evidenceTier: 'relay-signed',
      modelAsked: 'small',
      modelServed: 'sim-small',
      provider: 'simulated',
      deployment: 'simulated@local',
      attemptsDigest: digestAttempts(charge.attempts),
      requestCommitment: toHex(commit({ subject: 'request', salt: charge.requestSalt, bytes: request.body })),
      responseCommitment: toHex(
        commit({ subject: 'response', salt: charge.responseSalt, bytes: Buffer.from(answerText) }),
      ),
    });
    expect(charge.attempts).toMatchObject([
      { number: 1, outcome: 'ok', status: 200, usage: { prompt: 10 }, usageKind: 'exact' },
    ]);
    expect(deps.finished).toMatchObject([{ outcome: 'charged', result: { receipt: { amount: 20n } } }]);
  });

  test('is told in headers of a JSON answer', async () => {
    const sink = new MemorySink();
    const ledger = new FakeLedger();
    const transport = makeTransport(
      makeResponse([answerText], { headers: { 'x-request-id': 'req_1', 'set-cookie': 'a' } }),
    );
    await handleCall(makeDeps({ ledger, transport }), makeRequest(ask), sink);
    const { 'payment-receipt': paid, 'x-autopay-receipt': receipt, ...others } = sink.headers;
    expect(others).toEqual({
      'content-type': 'application/json',
      'content-length': String(answerText.length),
      'cache-control': 'private, no-store',
      'x-request-id': 'req_1',
      'x-autopay-route': 'small',
      'x-autopay-deployment': 'simulated@local',
      'x-autopay-attempts': '1',
      'x-autopay-cost': '20',
    });
    const charge = ledger.charged[0];
    if (!charge) throw new Error('nothing was charged');
    expect(receipt).toBe((await ledger.charge(charge)).signedReceipt);
    expect(paid).toBe('paid-20');
  });

  test('is told by a named event after [DONE] only to those who paid by MPP', async () => {
    for (const wantsPaymentEvents of [true, false]) {
      const sink = new MemorySink();
      const deps = makeDeps({ transport: makeTransport(makeStream(streamEvents)) });
      await handleCall(deps, makeRequest(askStream, { wantsPaymentEvents }), sink);
      const [, after] = sink.text.split('data: [DONE]\n\n');
      if (!wantsPaymentEvents) expect(after).toBe('');
      else expect(after).toBe('event: payment-receipt\ndata: paid-20\n\n');
    }
  });

  test('of a free route costs nothing, uses up no voucher and has a receipt all the same', async () => {
    const ledger = new FakeLedger();
    const sink = new MemorySink();
    const transport = makeTransport(makeResponse([answerText]));
    const deps = makeDeps({ ledger, transport, route: makeRoute({ prices: null }) });
    await handleCall(deps, makeRequest(ask), sink);
    expect(ledger.reserved).toMatchObject([{ funds: null, quote: 0n }]);
    expect(ledger.charged).toMatchObject([{ metered: 0n, receipt: { token: `0x${'0'.repeat(40)}` } }]);
    expect(sink.headers['x-autopay-receipt']).toBeTruthy();
    expect(sink.headers).not.toHaveProperty('payment-receipt');
  });

  test('is estimated and marked so where the provider gives no usage', async () => {
    const { usage: _, ...withoutUsage } = completion;
    const ledger = new FakeLedger();
    const transport = makeTransport(makeResponse([JSON.stringify(withoutUsage)]));
    await handleCall(makeDeps({ ledger, transport }), makeRequest(ask), new MemorySink());
    const [charge] = ledger.charged;
    expect(charge?.receipt).toMatchObject({ usageKind: 'estimated', usage: { completion: 1 } });
    expect(charge?.attempts).toMatchObject([{ usageKind: 'estimated' }]);
    expect(charge?.metered).toBeGreaterThan(2n);
  });
});

describe('usage that cannot be', () => {
  const deployments = ['a', 'b'].map((id) => ({ id, provider: id, model: 'sim-small' }));
  /** What is charged, by the byte bound of the prompt; the answer's text has five bytes. */
  const usages: [string, object, (bound: number) => object][] = [
    ['negative', { prompt_tokens: -10, completion_tokens: -5 }, (prompt) => ({ prompt, completion: 5 })],
    ['a fraction', { prompt_tokens: 10, completion_tokens: 2.5 }, () => ({ prompt: 10, completion: 5 })],
    ['above the bound', { prompt_tokens: 999_999, completion_tokens: 5 }, (prompt) => ({ prompt, completion: 5 })],
    [
      'more cached than there was',
      { prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 90 } },
      () => ({ prompt: 10, cachedPrompt: 10, completion: 5 }),
    ],
  ];

  test.each(usages)(
    '(%s) is charged at the bound, marked and told, and its deployment rests',
    async (_, usage, charged) => {
      const answer = JSON.stringify({ ...completion, usage });
      const last = streamEvents[3]?.replace(/"usage":.*}/, `"usage":${JSON.stringify(usage)}}`) ?? '';
      const events = [...streamEvents.slice(0, 3), last, 'data: [DONE]\n\n'];
      for (const [body, response] of [
        [ask, makeResponse([answer])],
        [askStream, makeStream(events)],
      ] as const) {
        const asked: string[] = [];
        const transport: Transport = {
          send: async ({ deployment }) => (
            asked.push(deployment.id),
            asked.length === 1 ? response : makeResponse([answerText])
          ),
        };
        const ledger = new FakeLedger();
        const deps = makeDeps({ transport, ledger, route: makeRoute({ deployments }) });
        const request = makeRequest(body);
        await handleCall(deps, request, new MemorySink());
        expect(ledger.charged).toMatchObject([{ receipt: { usageKind: 'estimated' }, attempts: [{ outcome: 'ok' }] }]);
        expect(ledger.charged[0]?.receipt.usage).toMatchObject(charged(request.body.length + 64));
        expect(deps.finished).toMatchObject([{ outcome: 'charged', usageFault: expect.any(String) }]);
        await handleCall(deps, makeRequest(ask), new MemorySink());
        expect(asked).toEqual(['a', 'b']);
        expect(deps.finished[1]).not.toHaveProperty('usageFault');
      }
    },
  );
});

describe('refusals', () => {
  test('happen before anything is reserved or sent upstream', async () => {
    for (const [body, code, param] of [
      [Buffer.from('{'), 'invalid_json', null],
      [{ ...ask, model: 'unknown' }, 'model_not_found', 'model'],
      [{ ...ask, web_search_options: {} }, 'unsupported_parameter', 'web_search_options'],
      [{ ...ask, n: 8, logprobs: true, top_logprobs: 20 }, 'unsupported_parameter', 'top_logprobs'],
      [{ ...ask, n: 8, logprobs: true }, 'unsupported_parameter', 'logprobs'],
      [{ ...ask, n: 2, top_logprobs: 20, max_tokens: 600 }, 'unsupported_parameter', 'top_logprobs'],
    ] as const) {
      const ledger = new FakeLedger();
      const call = handleCall(makeDeps({ ledger, transport: makeTransport() }), makeRequest(body), new MemorySink());
      await expect(call).rejects.toMatchObject({ code, param });
      expect(ledger.reserved).toEqual([]);
    }
  });

  test('spare log probabilities that fit', async () => {
    const body = { ...ask, n: 2, logprobs: true, top_logprobs: 20, max_tokens: 250 };
    const sink = new MemorySink();
    await handleCall(makeDeps({ transport: makeTransport(makeResponse([answerText])) }), makeRequest(body), sink);
    expect(sink.status).toBe(200);
  });

  test('of the ledger call no upstream and name the numbers that mend them', async () => {
    const ledger = new FakeLedger();
    const channel = makeChannel({ acceptedCumulative: 700n, charged: 400n, reserved: 100n });
    ledger.onReserve = () => ({
      ok: false,
      refusal: { code: 'insufficient_headroom', channel, requiredCumulative: 900n },
    });
    const transport = makeTransport();
    const body = { ...ask, max_tokens: 100 };
    const call = handleCall(makeDeps({ ledger, transport }), makeRequest(body), new MemorySink());
    await expect(call).rejects.toMatchObject({
      code: 'insufficient_headroom',
      facts: {
        quote: String(JSON.stringify(body).length + 64 + 200),
        requiredCumulative: '900',
        channelId: channel.channelId,
        acceptedCumulative: '700',
        spent: '400',
        reserved: '100',
        deposit: '1000000',
      },
    });
    expect(transport.sent).toEqual([]);
    expect(ledger.reserved).toHaveLength(1);
  });

  test('of a voucher that was used name the call that used it', async () => {
    const ledger = new FakeLedger();
    ledger.onReserve = () => ({
      ok: false,
      refusal: { code: 'voucher_already_used', channel: null, requiredCumulative: 1n, usedByCallId: 'the-call' },
    });
    const call = handleCall(makeDeps({ ledger, transport: makeTransport() }), makeRequest(ask), new MemorySink());
    await expect(call).rejects.toMatchObject({
      code: 'voucher_already_used',
      status: 409,
      facts: { callId: 'the-call' },
    });
  });

  test('come when too many of a payer’s answers broke off at the provider, until they are forgotten', async () => {
    let nowMs = clock.nowMs();
    const broken = () => makeStream(streamEvents.slice(0, 2));
    const transport = makeTransport(...Array.from({ length: maxLateFailures }, broken), makeResponse([answerText]));
    const deps = { ...makeDeps({ transport }), clock: { nowMs: () => nowMs } };
    for (let count = 0; count < maxLateFailures; count += 1) {
      const sink = new MemorySink();
      await handleCall(deps, makeRequest({ ...ask, stream: true }), sink);
      expect(Buffer.concat(sink.writes).toString()).toContain('Hello');
    }
    const refused = handleCall(deps, makeRequest(ask), new MemorySink());
    await expect(refused).rejects.toMatchObject({ code: 'rate_limit_exceeded', status: 429 });
    expect(transport.sent).toHaveLength(maxLateFailures);
    nowMs += lateFailureWindowMs;
    const sink = new MemorySink();
    await handleCall(deps, makeRequest(ask), sink);
    expect(sink.status).toBe(200);
  });

  test.each([
    ['JSON', ask, () => makeResponse(['{"choices":[],"usage":{"prompt_tokens":900,"completion_tokens":0}}'])],
    ['a stream', { ...ask, stream: true }, () => makeStream(['data: {"choices":[]}\n\n', 'data: [DONE]\n\n'])],
  ])('come when too many of a payer’s answers were empty, in %s', async (_, empty, answer) => {
    const ledger = new FakeLedger();
    const answers = Array.from({ length: maxLateFailures }, answer);
    const transport = makeTransport(...answers, makeResponse([answerText]));
    const deps = makeDeps({ ledger, transport });
    for (let count = 0; count < maxLateFailures; count += 1) {
      const call = handleCall(deps, makeRequest(empty), new MemorySink());
      await expect(call).rejects.toMatchObject({ code: 'upstream_error', status: 502 });
    }
    expect(ledger.charged).toEqual([]);
    const refused = handleCall(deps, makeRequest(ask), new MemorySink());
    await expect(refused).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
  });

  test.each([
    ['come when too many of a payer’s answers were waited for in vain after it had gone', { drainTimeoutMs: 1 }, true],
    ['come when too many of a payer’s answers took longer than a call may', { callTimeoutMs: 1 }, true],
    ['do not come where calls are cancelled at once when their client goes', { drainTimeoutMs: 0 }, false],
  ])('%s', async (_, changed, isRefused) => {
    const transport: Transport = {
      send: ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new TransportError('aborted', 'given up')));
        }),
    };
    const deps = makeDeps({ transport, limits: { ...limits, ...changed } });
    const isLeaving = 'drainTimeoutMs' in changed;
    const calls = Array.from({ length: maxLateFailures }, async () => {
      const sink = new MemorySink();
      const call = handleCall(deps, makeRequest(ask), sink).catch(() => undefined);
      if (isLeaving) sink.leave();
      await call;
    });
    await Promise.all(calls);
    const { router: answering } = makeDeps({ transport: makeTransport(makeResponse([answerText])) });
    const next = handleCall({ ...deps, limits, router: answering }, makeRequest(ask), new MemorySink());
    if (isRefused) await expect(next).rejects.toMatchObject({ code: 'rate_limit_exceeded', status: 429 });
    else await next;
  });

  test('come without payment, and the quote of each token can be told', async () => {
    const deps = makeDeps({ transport: makeTransport() });
    const request = makeRequest(ask, unpaid);
    const call = handleCall(deps, request, new MemorySink());
    await expect(call).rejects.toMatchObject({ code: 'payment_required', status: 402 });
    const quote = BigInt(request.body.length + 64 + 2 * 4096);
    // Hundred-millionths of a dollar, at half a dollar per token of 10^8.
    expect(readQuotes(deps, request)).toEqual(
      new Map([
        [token, quote],
        [usdToken, 2n * quote],
      ]),
    );
    const unpriced = { ...deps, prices: makePriceList({ round: undefined }) };
    expect(readQuotes(unpriced, request)).toEqual(new Map([[token, quote]]));
    expect(readQuotes(deps, { body: Buffer.from('{}'), headers: {}, path: '/v1/chat/completions' })).toBeUndefined();
  });

  test('come while the price table is not in force, paid or not; free calls go on', async () => {
    const prices = makePriceList({ isInForce: false });
    const deps = (route = makeRoute()) =>
      makeDeps({ prices, route, transport: makeTransport(makeResponse([answerText])) });
    for (const payment of [{}, unpaid]) {
      const call = handleCall(deps(), makeRequest(ask, payment), new MemorySink());
      await expect(call).rejects.toMatchObject({ code: 'price_table_unpublished', status: 503 });
    }
    const sink = new MemorySink();
    await handleCall(deps(makeRoute({ prices: null })), makeRequest(ask), sink);
    expect(sink.status).toBe(200);
  });
});

describe('a token whose prices are in US dollars', () => {
  const channel = makeChannel({ token: usdToken });

  test('is charged at the round of the quote, which the receipt names', async () => {
    const ledger = new FakeLedger();
    let round: OraclePrice = { answer: 50_000_000n, decimals: 8, roundId: 77n, updatedAt: 1 };
    const list = makePriceList();
    const prices = {
      root: list.root,
      termsFor: (...ask: Parameters<PriceList['termsFor']>) => makePriceList({ round }).termsFor(...ask),
    };
    ledger.onReserve = () => {
      // The price doubles while the call is under way.
      round = { ...round, answer: 25_000_000n, roundId: 78n };
      return undefined;
    };
    const transport = makeTransport(makeResponse([answerText]));
    await handleCall(makeDeps({ ledger, prices, transport }), makeRequest(ask, { channel }), new MemorySink());
    expect(ledger.reserved).toMatchObject([{ token: usdToken }]);
    expect(ledger.charged).toMatchObject([{ metered: 40n, receipt: { token: usdToken, oracleRound: 77n } }]);
  });

  test('pays for nothing while the oracle has no price', async () => {
    const prices = makePriceList({ round: undefined });
    const call = handleCall(
      makeDeps({ prices, transport: makeTransport() }),
      makeRequest(ask, { channel }),
      new MemorySink(),
    );
    await expect(call).rejects.toMatchObject({ code: 'price_unavailable', status: 503, facts: { token: usdToken } });
  });
});

describe('the output limit', () => {
  const promptCost = BigInt(JSON.stringify(ask).length + 64);

  test('shrinks to the headroom, is sent upstream and is told', async () => {
    const ledger = new FakeLedger();
    const transport = makeTransport(makeResponse([answerText]));
    const sink = new MemorySink();
    const funds = makeFunds(promptCost + 2n * 1000n + 500n);
    const channel = makeChannel({ acceptedCumulative: 300n, charged: 200n, reserved: 300n });
    await handleCall(makeDeps({ ledger, transport }), makeRequest(ask, { funds, channel }), sink);
    expect(ledger.reserved).toMatchObject([{ quote: promptCost + 2000n }]);
    expect(JSON.parse(transport.sent[0] ?? '')).toMatchObject({ max_completion_tokens: 1000 });
    expect(sink.headers['x-autopay-output-limit']).toBe('1000');
  });

  test('does not shrink below 256: then the whole quote is asked for', async () => {
    const ledger = new FakeLedger();
    const funds = makeFunds(promptCost + 2n * 255n);
    const deps = makeDeps({ ledger, transport: makeTransport(makeResponse([answerText])) });
    await handleCall(deps, makeRequest(ask, { funds }), new MemorySink());
    expect(ledger.reserved).toMatchObject([{ quote: promptCost + 2n * 4096n }]);
  });

  test('shrinks once more if parallel calls took headroom since admission', async () => {
    const ledger = new FakeLedger();
    const signed = promptCost + 2n * 4096n;
    const channel = makeChannel({ acceptedCumulative: signed, reserved: 2n * 96n });
    ledger.onReserve = ({ quote }) =>
      quote > promptCost + 2n * 4000n
        ? { ok: false, refusal: { code: 'insufficient_headroom', channel, requiredCumulative: 0n } }
        : undefined;
    const sink = new MemorySink();
    const deps = makeDeps({ ledger, transport: makeTransport(makeResponse([answerText])) });
    await handleCall(deps, makeRequest(ask, { funds: makeFunds(signed) }), sink);
    expect(ledger.reserved.map(({ quote }) => quote - promptCost)).toEqual([8192n, 8000n]);
    expect(sink.headers['x-autopay-output-limit']).toBe('4000');
  });
});

describe('a first slice', () => {
  const refusal = {
    ok: false,
    refusal: { code: 'insufficient_headroom', channel: makeChannel(), requiredCumulative: 0n },
  } as const;
  /** Of 1,000 tokens of output the payer has signed for 10. */
  const body = { ...askStream, max_tokens: 1_000 };
  const hidden = streamEvents.map((event) => event.replace('"completion_tokens":5', '"completion_tokens":500'));

  function makeSliced(firstSlice: boolean, ...streams: (readonly string[])[]) {
    const ledger = new FakeLedger();
    ledger.onReserve = ({ quote }) => (quote > 2_000n ? refusal : undefined);
    const slices = { outputTokens: 10, waitMs: 100, unpaid: new Set<Hex>(), extend: () => Promise.resolve(refusal) };
    const transport = makeTransport(...streams.map((events) => makeStream(events)));
    return { ledger, deps: makeDeps({ ledger, transport, slices, route: makeRoute({ firstSlice }) }) };
  }
  const call = async (deps: CallDeps) => {
    const sink = new MemorySink();
    await handleCall(deps, makeRequest(body, { takesSlices: true }), sink);
    return sink;
  };

  test('is an opt-in of the route, since hidden output would run unpaid', async () => {
    const { deps, ledger } = makeSliced(false, streamEvents);
    await expect(call(deps)).rejects.toMatchObject({ code: 'insufficient_headroom' });
    expect(ledger.reserved).toHaveLength(1);
  });

  test('is given again to a channel that paid for all that it got', async () => {
    const { deps } = makeSliced(true, streamEvents, streamEvents);
    expect((await call(deps)).text).toContain('[DONE]');
    expect((await call(deps)).text).toContain('[DONE]');
  });

  test('is given no more to a channel that left a stream partly unpaid', async () => {
    const { deps, ledger } = makeSliced(true, hidden, streamEvents);
    await call(deps);
    expect(ledger.charged[0]?.metered).toBeGreaterThan(ledger.reserved.at(-1)?.quote ?? 0n);
    await expect(call(deps)).rejects.toMatchObject({ code: 'insufficient_headroom' });
    expect(ledger.charged).toHaveLength(1);
  });
});

describe('failures of the upstream', () => {
  test('pass on with their status in OpenAI’s shape, uncharged', async () => {
    const ledger = new FakeLedger();
    const sink = new MemorySink();
    const error = { message: 'Slow down.', type: 'requests', param: null, code: 'rate_limit_exceeded' };
    const transport = makeTransport(
      makeResponse([JSON.stringify({ error: { ...error, secret: 1 } })], {
        status: 429,
        headers: { 'retry-after': '7', 'set-cookie': 'a=b' },
      }),
    );
    const call = handleCall(makeDeps({ ledger, transport }), makeRequest(ask), sink);
    await expect(call).rejects.toMatchObject({
      code: 'upstream_error',
      status: 429,
      refusal: { status: 429, error },
      headers: { 'cache-control': 'no-store', 'retry-after': '7' },
    });
    await expect(call).rejects.not.toHaveProperty('headers.set-cookie');
    expect(sink.events).toEqual([]);
    expect(ledger.charged).toEqual([]);
    expect(ledger.released).toMatchObject([
      { reason: 'upstream_error', attempts: [{ outcome: 'refused', status: 429, usageKind: 'unknown' }] },
    ]);
  });

  test('become the relay’s own errors where there is no answer', async () => {
    for (const [failure, code, status] of [
      ['unreachable', 'upstream_unreachable', 502],
      ['timeout', 'upstream_timeout', 504],
      ['truncated', 'upstream_truncated', 502],
    ] as const) {
      const ledger = new FakeLedger();
      const transport = makeTransport(new TransportError(failure, 'broken'));
      const call = handleCall(makeDeps({ ledger, transport }), makeRequest(ask), new MemorySink());
      await expect(call).rejects.toMatchObject({ code, status });
      expect(ledger.released).toMatchObject([{ reason: code, attempts: [{ outcome: failure, status: null }] }]);
    }
  });

  test('that a client brings about by not reading are charged to it', async () => {
    const ledger = new FakeLedger();
    const sink = new MemorySink();
    sink.blocked = new Promise(() => undefined);
    async function* body(): AsyncGenerator<Uint8Array> {
      for (const event of streamEvents.slice(0, 2)) yield Buffer.from(event);
      throw new TransportError('truncated', 'the provider gave up');
    }
    const transport = makeTransport({ ...makeStream([]), body: body() });
    const deps = makeDeps({ ledger, transport, limits: { ...limits, idleTimeoutMs: 20 } });
    await handleCall(deps, makeRequest(askStream), sink);
    expect(ledger.charged).toMatchObject([{ receipt: { usageKind: 'estimated', usage: { completion: 1 } } }]);
    expect(ledger.released).toEqual([]);
    expect(deps.finished).toMatchObject([{ outcome: 'charged', reason: 'client_gone' }]);
  });

  test('leave usage that was counted so far: it is charged, or the estimate if that is more', async () => {
    for (const [told, completion] of [
      [7, 7],
      [0, 1],
    ] as const) {
      const ledger = new FakeLedger();
      const counting = `data: {"choices":[{"delta":{"content":"Hello"}}],"usage":{"prompt_tokens":10,"completion_tokens":${told}}}\n\n`;
      const answer = makeStream([counting, 'x'.repeat(2_000_000)]);
      const deps = makeDeps({ ledger, transport: makeTransport(answer) });
      await handleCall(deps, makeRequest(askStream), new MemorySink());
      expect(answer.destroyed).toBe(true);
      expect(ledger.charged).toMatchObject([
        { receipt: { usageKind: 'estimated', usage: { prompt: 10, completion } } },
      ]);
    }
  });

  test('are bounded in time by the whole call', async () => {
    const ledger = new FakeLedger();
    const transport = {
      send: ({ signal }: { signal: AbortSignal }) =>
        new Promise<never>((_, reject) => {
          signal.addEventListener('abort', () => reject(new TransportError('aborted', 'given up')));
        }),
    };
    const deps = makeDeps({ ledger, transport, limits: { ...limits, callTimeoutMs: 30 } });
    await expect(handleCall(deps, makeRequest(ask), new MemorySink())).rejects.toMatchObject({
      code: 'upstream_timeout',
    });
    expect(ledger.released).toMatchObject([{ reason: 'upstream_timeout', attempts: [{ outcome: 'aborted' }] }]);
  });

  test('leave no upstream behind', async () => {
    const signals: AbortSignal[] = [];
    for (const answer of [makeResponse(['{}'], { status: 500 }), makeResponse([answerText])]) {
      const transport: Transport = {
        send: async ({ signal }) => {
          signals.push(signal);
          return answer;
        },
      };
      await handleCall(makeDeps({ transport }), makeRequest(ask), new MemorySink()).catch(() => undefined);
    }
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });

  test('of length in JSON are charged once, and what was not read is not waited for', async () => {
    const ledger = new FakeLedger();
    const answer = makeResponse(['{"choices":[{"message":{"content":"Hello', 'x'.repeat(2_000_000)]);
    const transport = makeTransport(answer);
    const deployments = ['a', 'b'].map((id) => ({ id, provider: 'p', model: 'm' }));
    const call = handleCall(
      makeDeps({ ledger, transport, route: makeRoute({ deployments }) }),
      makeRequest(ask),
      new MemorySink(),
    );
    await expect(call).rejects.toMatchObject({
      code: 'answer_too_long',
      headers: { 'x-autopay-receipt': expect.any(String) },
    });
    expect(answer.destroyed).toBe(true);
    expect(ledger.charged).toHaveLength(1);
    expect(ledger.released).toEqual([]);
    expect(transport.sent).toHaveLength(1);
  });

  test('in the relay’s own code release the reservation too', async () => {
    const ledger = new FakeLedger();
    const transport = makeTransport(new Error('a bug'));
    const call = handleCall(makeDeps({ ledger, transport }), makeRequest(ask), new MemorySink());
    await expect(call).rejects.toMatchObject({ code: 'internal_error' });
    expect(ledger.released).toMatchObject([{ reason: 'internal_error' }]);
  });
});
