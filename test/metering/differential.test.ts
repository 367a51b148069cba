import { expect, test } from 'vitest';
import { createPriceList } from '../../server/metering/price-list.ts';
import {
  FakeLedger,
  limits,
  makeCallDeps,
  makeFunds,
  makeRequest,
  makeRoute,
  MemorySink,
  token,
} from '../../server/call/call-fixtures.ts';
import { handleCall } from '../../server/call/handle-call.ts';
import type { OpenAttempt, Router } from '../../server/call/router.ts';
import type { UpstreamResponse } from '../../server/call/transport.ts';
import type { CallDeps } from '../../server/call/types.ts';
import { findProvider, quirksOf } from '../../server/providers/catalogue.ts';
import { meterAgain, type Sold } from './meter-again.ts';
import { recordOtherAnswer } from './record-other-apis.ts';
import { createDice, recordAnswer, type Dice, type RecordedAnswer } from './record-answers.ts';

const answers = 1_000;
const otherAnswers = 500;
const huge = 10n ** 30n;
const reach = { contextTokens: 8_000, maxOutputTokens: 4_096, defaultMaxOutputTokens: 1_024 };

/** Prices of any kind: parts dearer than the whole too, and such as leave a remainder. */
function sell(dice: Dice): Sold {
  const price = () => BigInt(dice.below(30_000_000));
  const prompt = price();
  const prices = {
    ...{ prompt, cachedPrompt: price(), cacheWrite: price(), audioPrompt: price() },
    ...{ completion: price(), audioCompletion: price(), request: BigInt(dice.pick([0, 0, 7])) },
  };
  const oracle = dice.chance(0.5) ? { answer: BigInt(1 + dice.below(400_000_000)), decimals: 8 } : null;
  return { ...reach, prices, oracle, tokenDecimals: dice.pick([6, 8, 18]) };
}

/** The answer, cut anywhere as a network does. */
function respond({ answer, stream }: RecordedAnswer, dice: Dice): UpstreamResponse {
  const bytes = Buffer.from(answer);
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + dice.below(dice.pick([8, 200, 4_000]));
      yield bytes.subarray(at, end);
      at = end;
    }
  }
  const headers = { 'content-type': stream ? 'text/event-stream' : 'application/json' };
  return { status: 200, headers, body: body(), destroy: () => undefined };
}

/** Sends one recorded answer through the life of a call. */
async function relay(recorded: RecordedAnswer, sold: Sold, dice: Dice) {
  const { provider } = recorded;
  const facts = findProvider(provider);
  if (!facts) throw new Error(`no provider ${provider}`);
  const deployment = { id: `${provider}@test`, provider, model: 'any', quirks: quirksOf(facts) };
  const row = { model: 'sold', token, inUsd: sold.oracle !== null, ...sold.prices };
  const route = makeRoute({ model: 'sold', deployments: [deployment], prices: [row], ...reach });
  const round = sold.oracle && { ...sold.oracle, roundId: 5n, updatedAt: 1 };
  const prices = createPriceList({
    tokens: [
      { symbol: 'T', address: token, decimals: sold.tokenDecimals, oracle: round !== null, suggestedDeposit: 1n },
    ],
    rows: [row],
    sources: { oraclePrice: () => round ?? undefined, isInForce: () => true },
  });
  const reports: Parameters<OpenAttempt['report']>[0][] = [];
  const attempt: OpenAttempt = {
    ...{ number: 1, option: 0, deployment, startedAtMs: 0, status: 200, requestId: undefined },
    report: (end) => void reports.push(end),
  };
  const router: Router = {
    async run(plan) {
      const value = await plan.accept(respond(recorded, dice), deployment);
      return {
        kind: 'accepted',
        value,
        attempt,
        failed: [],
        retries: { attempts: 1, totalSleepMs: 0, lastRetryAfterMs: null },
      };
    },
  };
  const ledger = new FakeLedger();
  const deps: CallDeps = makeCallDeps({ router, ledger, route, prices, limits });
  const request = makeRequest(Buffer.from(recorded.request), { funds: makeFunds(huge) }, { path: recorded.path });
  const sink = new MemorySink();
  await handleCall(deps, request, sink);
  return { charge: ledger.charged[0], quote: ledger.reserved[0]?.quote, report: reports[0], sink };
}

test('1,000 chat completions and 500 answers of other APIs cost what a second meter says, to the atomic unit', async () => {
  const seen = new Map<string, number>();
  const note = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);
  for (let seed = 1; seed <= answers + otherAnswers; seed += 1) {
    const recorded = seed > answers ? recordOtherAnswer(seed) : recordAnswer(seed);
    const dice = createDice(seed + 1_000_000);
    const sold = sell(dice);
    const again = meterAgain(recorded, sold);
    const { charge, quote, report, sink } = await relay(recorded, sold, dice);
    const what = `seed ${seed}: ${recorded.shape}`;
    expect(sink.ended, what).toBe(true);
    expect({ ...charge?.receipt.usage }, what).toEqual(again.usage);
    expect(charge?.receipt.usageKind, what).toBe(again.usageKind);
    expect(quote, what).toBe(again.quote);
    const metered = charge?.metered ?? -1n;
    expect(metered < again.quote ? metered : again.quote, what).toBe(again.amount);
    expect(report?.usageFault !== null, what).toBe(again.impossible);
    for (const part of recorded.shape.split(', ')) note(part);
    if (again.impossible) note('impossible');
    else note(again.usageKind);
    if (again.amount === again.quote) note('whole quote');
  }
  // All kinds were there: a generator that makes one kind only shows nothing.
  expect(Object.fromEntries(seen)).toMatchObject({ stream: expect.any(Number), JSON: expect.any(Number) });
  for (const kind of [
    'exact',
    'estimated',
    'impossible',
    'stream',
    'JSON',
    'xai',
    'deepseek',
    'litellm',
    'nvidia',
    'responses',
    'messages',
  ]) {
    expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(50);
  }
  for (const kind of ['blockrun', 'zeros', 'no prompt', 'no completion', 'output untold']) {
    expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(4);
  }
  expect(seen.size).toBeGreaterThan(28);
});
