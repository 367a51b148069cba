import { describe, expect, it } from 'vitest';
import { zeroBytes32 } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { Router } from './router.ts';
import {
  directPayment,
  FakeLedger,
  makeCallDeps,
  makeChannel,
  makePriceList,
  makeRequest,
  makeRoute,
  unpaid,
  wideBudgets,
} from './call-fixtures.ts';
import { prepareCall } from './prepare-call.ts';
import { maxLateFailures } from './late-failures.ts';
import { payerOf, reserveCall } from './reserve-call.ts';
import { RunningCalls } from './running-calls.ts';
import type { Admission, CallDeps, ModelBudgets } from './types.ts';

const router: Router = {
  run: () => {
    throw new Error('nothing is called here');
  },
};
const body = { model: 'small', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 10 };

function reserve(options: Partial<CallDeps>) {
  const ledger = new FakeLedger();
  const deps = makeCallDeps({ router, ledger, ...options });
  const request = makeRequest(body);
  return {
    ledger,
    request,
    outcome: reserveCall(deps, { request, call: prepareCall(deps, request), idempotency: null }),
  };
}

describe('the reservation of a call', () => {
  it('is held against the budget of the model that was asked for, on the day of admission', async () => {
    const asked: object[] = [];
    const budgets: ModelBudgets = {
      terms(ask) {
        asked.push(ask);
        return wideBudgets.terms(ask);
      },
    };
    const atMs = 20_000 * 86_400_000 - 1;
    const { ledger, outcome } = reserve({ budgets, clock: { nowMs: () => atMs } });
    await outcome;
    const { token } = makeChannel();
    expect(asked).toEqual([{ model: 'small', token, atMs }]);
    expect(ledger.reserved).toMatchObject([
      { model: 'small', admittedAtMs: atMs, budget: { day: 19_999, limitAgpt: 2n ** 128n - 1n, rate: 10n ** 18n } },
    ]);
  });

  it.each([
    ['may wait for the charge of a JSON answer', {}, {}, true],
    ['may not where a stream begins before its charge', { stream: true }, {}, false],
    ['may not with a payment of its own, which must not be forgotten', {}, directPayment(), false],
  ])('%s', async (_, fields, payment, mayWait) => {
    const ledger = new FakeLedger();
    const request = makeRequest({ ...body, ...fields }, payment);
    const deps = makeCallDeps({ router, ledger });
    await reserveCall(deps, { request, call: prepareCall(deps, request), idempotency: null });
    expect(ledger.reserved).toMatchObject([{ mayWait }]);
  });

  it('asks for no budget on a free route', async () => {
    const budgets: ModelBudgets = {
      terms: () => {
        throw new Error('a free call spends nothing');
      },
    };
    const route = makeRoute({ prices: null });
    const { ledger, outcome } = reserve({ budgets, routes: new Map([[route.model, route]]) });
    await outcome;
    expect(ledger.reserved).toMatchObject([{ budget: null }]);
  });

  it('counts on a free route for the address that asks, and is refused beyond its limit', async () => {
    const route = makeRoute({ prices: null });
    const asked: string[] = [];
    const take = (address: string) => {
      asked.push(address);
      if (asked.length > 1) throw new AutoPayError('rate_limit_exceeded', 'Later.');
    };
    const deps = { routes: new Map([[route.model, route]]), freeLimit: { take } };
    await reserve(deps).outcome;
    const { ledger, outcome } = reserve(deps);
    await expect(outcome).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
    expect(ledger.reserved).toEqual([]);
    await reserve({ freeLimit: { take } }).outcome;
    expect(asked).toEqual(['127.0.0.1', '127.0.0.1']);
  });

  it('is not made while the budgets are unknown', async () => {
    const budgets: ModelBudgets = {
      terms: () => {
        throw new AutoPayError('budgets_unknown', 'The chain is away.');
      },
    };
    const { ledger, outcome } = reserve({ budgets });
    await expect(outcome).rejects.toMatchObject({ code: 'budgets_unknown', status: 503 });
    expect(ledger.reserved).toEqual([]);
  });

  it('is not made, nor paid for, while governance has taken away what the relay needs', async () => {
    const authority = {
      require() {
        throw new AutoPayError('relay_not_authorized', 'It has no role.');
      },
    };
    const { ledger, outcome } = reserve({ authority });
    await expect(outcome).rejects.toMatchObject({ code: 'relay_not_authorized', status: 503 });
    expect(ledger.reserved).toEqual([]);
    const poor = makeRequest(body, unpaid);
    const deps = makeCallDeps({ router, authority });
    await expect(
      reserveCall(deps, { request: poor, call: prepareCall(deps, poor), idempotency: null }),
    ).rejects.toMatchObject({ status: 503 });
    const route = makeRoute({ prices: null });
    await expect(reserve({ authority, routes: new Map([[route.model, route]]) }).outcome).resolves.toBeDefined();
  });

  it('says of a budget that is spent whose it is, how much is left, and when it begins anew', async () => {
    const ledger = new FakeLedger();
    ledger.onReserve = () => ({
      ok: false,
      refusal: {
        code: 'model_budget_exceeded',
        channel: makeChannel(),
        requiredCumulative: 1n,
        spending: { charged: 5n, reserved: 2n, quote: 4n },
      },
    });
    const budgets: ModelBudgets = { terms: () => ({ day: 20_000, limitAgpt: 10n, rate: 1n }) };
    const { outcome } = reserve({ ledger, budgets });
    await expect(outcome).rejects.toMatchObject({
      code: 'model_budget_exceeded',
      status: 429,
      message: expect.stringContaining('set by vote'),
      facts: {
        model: 'small',
        day: 20_000,
        limitAgpt: '10',
        spentAgpt: '5',
        reservedAgpt: '2',
        quoteAgpt: '4',
        resetsAt: '2024-10-05T00:00:00.000Z',
      },
    });
  });
});

describe('the quote', () => {
  const { max_tokens: _, ...unlimited } = body;
  const asked = makeRequest(unlimited);
  const promptCost = BigInt(asked.body.length + 64);
  const whole = promptCost + 2n * 4_096n;

  async function quotesOf(payment: Partial<Admission>, onReserve?: FakeLedger['onReserve']): Promise<bigint[]> {
    const ledger = new FakeLedger();
    ledger.onReserve = onReserve;
    const deps = makeCallDeps({ router, ledger });
    const request = makeRequest(unlimited, payment);
    const call = prepareCall(deps, request);
    await reserveCall(deps, { request, call, idempotency: null }).catch(() => undefined);
    return ledger.reserved.map(({ quote }) => quote - promptCost);
  }

  const channel = makeChannel({ acceptedCumulative: promptCost + 10_000n, charged: 500n, reserved: 500n });
  const key: Partial<Admission> = { funds: { kind: 'key', channelId: channel.channelId }, channel };
  const scope = { id: 'key:k1', window: 0, limit: 10_000n, charged: 0n, endsAtSeconds: null };

  it('of an API key shrinks to the headroom of its channel, and to its own', async () => {
    expect(await quotesOf(key)).toEqual([8_192n]);
    const spent = { ...channel, charged: 4_000n };
    expect(await quotesOf({ ...key, channel: spent })).toEqual([5_500n]);
    expect(await quotesOf({ ...key, headroom: promptCost + 2_000n })).toEqual([2_000n]);
    expect(await quotesOf({ ...key, channel: spent, headroom: whole })).toEqual([5_500n]);
  });

  it('shrinks once more to what a scope has left', async () => {
    const refuse = { ok: false, refusal: { code: 'scope_exceeded', channel, requiredCumulative: 0n } } as const;
    const left = { ...scope, reserved: scope.limit - promptCost - 3_000n };
    const onReserve: FakeLedger['onReserve'] = ({ quote }) =>
      quote > promptCost + 3_000n ? { ...refuse, refusal: { ...refuse.refusal, scope: left } } : undefined;
    expect(await quotesOf(key, onReserve)).toEqual([8_192n, 3_000n]);
  });

  it('is held in the scope of its payer too, whatever the payer comes with; on a free route in none', async () => {
    const ofPayer = { id: 'payer:0x44', window: 5, limit: 7n, endsAtSeconds: 9 };
    const asked: object[] = [];
    const payerScope: CallDeps['payerScope'] = ({ payer, sale, atMs }) => {
      asked.push({ payer, token: sale.token, atMs });
      return ofPayer;
    };
    const ledger = new FakeLedger();
    const run = async (payment: Partial<Admission>, prices = makeRoute().prices) => {
      const deps = makeCallDeps({ router, ledger, payerScope, route: makeRoute({ prices }) });
      const request = makeRequest(body, payment);
      await reserveCall(deps, { request, call: prepareCall(deps, request), idempotency: null });
    };
    await run({});
    await run({ ...key, scopes: [scope] });
    await run(directPayment());
    await run({}, null);
    expect(ledger.reserved.map(({ scopes }) => scopes)).toEqual([[ofPayer], [scope, ofPayer], [ofPayer], []]);
    const { payer, token } = makeChannel();
    expect(asked).toMatchObject(Array.from({ length: 3 }, () => ({ payer, token })));
  });

  it('of an allowance shrinks to it; of another payment never', async () => {
    const allowance = directPayment({ kind: 'allowance', maximum: whole, available: whole });
    expect(await quotesOf({ ...allowance, headroom: promptCost + 4_000n })).toEqual([4_000n]);
    const refused = { code: 'insufficient_allowance', channel: null, requiredCumulative: 0n } as const;
    const onReserve: FakeLedger['onReserve'] = ({ quote }) =>
      quote > promptCost + 1_000n
        ? { ok: false, refusal: { ...refused, availableAllowance: promptCost + 1_000n } }
        : undefined;
    expect(await quotesOf({ ...allowance, headroom: whole }, onReserve)).toEqual([8_192n, 1_000n]);
    expect(await quotesOf(directPayment({ maximum: promptCost + 4_000n }))).toEqual([8_192n]);
  });

  it('is held with the scopes and the key of the call; on a free route without scopes', async () => {
    const scopes = [scope];
    const ledger = new FakeLedger();
    for (const prices of [makeRoute().prices, null]) {
      const deps = makeCallDeps({ router, ledger, route: makeRoute({ prices }) });
      const request = makeRequest(body, { ...key, scopes, keyId: 'k1' });
      await reserveCall(deps, { request, call: prepareCall(deps, request), idempotency: null });
    }
    expect(ledger.reserved).toMatchObject([
      { funds: key.funds, scopes, keyId: 'k1' },
      { funds: null, scopes: [], keyId: 'k1' },
    ]);
  });
});

describe('a repeated call', () => {
  const idempotency = { scope: 's', key: 'k', bodyDigest: zeroBytes32 };

  function repeat(options: Partial<CallDeps> & { ledger: FakeLedger }) {
    const deps = makeCallDeps({ router, ...options });
    const request = makeRequest(body);
    return reserveCall(deps, { request, call: prepareCall(deps, request), idempotency });
  }

  it('is told from the refusal', async () => {
    const ledger = new FakeLedger();
    ledger.onReserve = () => ({
      ok: false,
      refusal: { code: 'idempotent_repeat', channel: null, requiredCumulative: 0n, usedByCallId: 'first' },
    });
    expect(await repeat({ ledger })).toEqual({ repeats: 'first' });
  });

  it('is known also while nothing can be sold: its client must not be sent to pay anew', async () => {
    const ledger = new FakeLedger();
    const prices = makePriceList({ isInForce: false });
    await expect(repeat({ ledger, prices })).rejects.toMatchObject({ code: 'price_table_unpublished' });
    ledger.findRepeat = () => Promise.resolve({ callId: 'first', state: 'charged', isSame: true });
    expect(await repeat({ ledger, prices })).toEqual({ repeats: 'first' });
    ledger.findRepeat = () => Promise.resolve({ callId: 'first', state: 'charged', isSame: false });
    await expect(repeat({ ledger, prices })).rejects.toMatchObject({ code: 'price_table_unpublished' });
    expect(ledger.reserved).toEqual([]);
  });

  it('is known also to a payer of whose answers too many broke off: it was paid for', async () => {
    const ledger = new FakeLedger();
    const running = new RunningCalls();
    const payer = payerOf(makeRequest(body).payment) ?? '';
    for (let count = 0; count < maxLateFailures; count += 1)
      running.lateFailures.note(payer, { isLate: true, nowMs: Date.now() });
    await expect(repeat({ ledger, running })).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
    ledger.findRepeat = () => Promise.resolve({ callId: 'first', state: 'charged', isSame: true });
    expect(await repeat({ ledger, running })).toEqual({ repeats: 'first' });
  });
});
