import { describe, expect, it } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { Router } from './router.ts';
import { FakeLedger, makeCallDeps, makeChannel, makeRequest, makeRoute, wideBudgets } from './call-fixtures.ts';
import { prepareCall } from './prepare-call.ts';
import { reserveCall } from './reserve-call.ts';
import type { CallDeps, ModelBudgets } from './types.ts';

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
  return { ledger, request, outcome: reserveCall(deps, request, prepareCall(deps, request.body)) };
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
    const unpaid = makeRequest(body, { voucher: null, channel: null });
    const deps = makeCallDeps({ router, authority });
    await expect(reserveCall(deps, unpaid, prepareCall(deps, unpaid.body))).rejects.toMatchObject({ status: 503 });
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
