import { describe, expect, it } from 'vitest';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { BudgetChange } from '../ledger/background-ledger.ts';
import { createBudgetTable } from './budget-table.ts';
import { nameId } from '../../protocol/bytes/name-id.ts';

const usdc: Hex = `0x${'aa'.repeat(20)}`;
const agpt: Hex = `0x${'bb'.repeat(20)}`;
const dayMs = 86_400_000;

/** Changes in the order in which they stand on the chain. */
function table(...changes: Pick<BudgetChange, 'kind' | 'subject' | 'fromDay' | 'value'>[]) {
  return createBudgetTable(changes.map((change, logIndex) => ({ block: 1, logIndex, ...change })));
}

const start = [
  { kind: 'rate', subject: agpt, fromDay: 0, value: 10n ** 18n },
  { kind: 'default', subject: '0x', fromDay: 0, value: 500n },
  { kind: 'rate', subject: usdc, fromDay: 0, value: 8n * 10n ** 30n },
] as const;

function modelChange(fromDay: number, value: bigint | null) {
  return { kind: 'model', subject: nameId('small'), fromDay, value } as const;
}

describe('a table of budgets', () => {
  it('answers with the default where nobody named the model, for every day and to the last millisecond', () => {
    const budgets = table(...start);
    const rate = 8n * 10n ** 30n;
    expect(budgets.terms({ model: 'small', token: usdc, atMs: 0 })).toEqual({ day: 0, limitAgpt: 500n, rate });
    const late = { model: 'small', token: usdc, atMs: 20_000 * dayMs - 1 };
    expect(budgets.terms(late)).toEqual({ day: 19_999, limitAgpt: 500n, rate });
    expect(budgets.terms({ ...late, atMs: late.atMs + 1 }).day).toBe(20_000);
  });

  it('lets a model’s own limit hold from its day on, until it is removed', () => {
    const budgets = table(...start, modelChange(10, 7n), modelChange(12, null), modelChange(15, 0n));
    const limitOn = (day: number, model = 'small') =>
      budgets.terms({ model, token: agpt, atMs: day * dayMs }).limitAgpt;
    expect([9, 10, 11, 12, 14, 15, 99].map((day) => limitOn(day))).toEqual([500n, 7n, 7n, 500n, 500n, 0n, 0n]);
    expect(limitOn(10, 'large')).toBe(500n);
  });

  it('takes the last of several changes for one day', () => {
    const budgets = table(...start, modelChange(10, 7n), modelChange(10, 9n));
    expect(budgets.terms({ model: 'small', token: agpt, atMs: 10 * dayMs }).limitAgpt).toBe(9n);
  });

  it('goes by the rate of the day, whatever the case of the token’s letters', () => {
    const budgets = table(...start, { kind: 'rate', subject: usdc, fromDay: 10, value: 3n });
    const token = usdc.toUpperCase().replace('0X', '0x') as Hex;
    expect(budgets.terms({ model: 'small', token, atMs: 9 * dayMs }).rate).toBe(8n * 10n ** 30n);
    expect(budgets.terms({ model: 'small', token, atMs: 10 * dayMs }).rate).toBe(3n);
  });

  it('refuses a token without a rate, and one whose rate was set to nothing', () => {
    const budgets = table(...start, { kind: 'rate', subject: usdc, fromDay: 10, value: 0n });
    const stranger: Hex = `0x${'cc'.repeat(20)}`;
    const ask = { model: 'small', atMs: 10 * dayMs };
    expect(() => budgets.terms({ ...ask, token: stranger })).toThrow(
      expect.objectContaining({ code: 'token_without_rate', facts: { token: stranger, day: 10 } }),
    );
    expect(() => budgets.terms({ ...ask, token: usdc })).toThrow(
      expect.objectContaining({ code: 'token_without_rate' }),
    );
  });

  it('knows nothing without a default: then it has not read the deployment', () => {
    const budgets = table(modelChange(12, 5n), { kind: 'rate', subject: usdc, fromDay: 0, value: 1n });
    expect(() => budgets.terms({ model: 'small', token: usdc, atMs: 0 })).toThrow(
      expect.objectContaining({ code: 'budgets_unknown' }),
    );
  });
});
