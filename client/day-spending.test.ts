import { describe, expect, it } from 'vitest';
import { addHold, dayOf, replaceHold, spentOn, type DayHold } from './day-spending.ts';

const token = { chainId: 8_453, token: `0x${'dc'.repeat(20)}` } as const;
const hold = (amount: bigint, more: Partial<DayHold> = {}): DayHold => ({
  ...{ ...token, day: '2026-11-21', amount },
  ...more,
});
const state = () => ({ spending: [] as DayHold[] });

describe('what a day has cost', () => {
  it('changes at midnight in UTC', () => {
    expect(dayOf(Date.UTC(2026, 10, 21, 23, 59, 59, 999))).toBe('2026-11-21');
    expect(dayOf(Date.UTC(2026, 10, 22))).toBe('2026-11-22');
  });

  it('is counted by chain and token, by quotes until the charges are known', () => {
    const saved = state();
    addHold(saved, hold(100n));
    addHold(saved, hold(50n));
    addHold(saved, hold(7n, { chainId: 10 }));
    addHold(saved, hold(9n, { token: `0x${'a9'.repeat(20)}` }));
    expect(spentOn(saved, hold(0n))).toBe(150n);
    replaceHold(saved, hold(100n), 30n);
    replaceHold(saved, hold(50n), 0n);
    expect(spentOn(saved, hold(0n))).toBe(30n);
    expect(spentOn(saved, hold(0n, { chainId: 10 }))).toBe(7n);
  });

  it('takes nothing of a call over midnight out of the new day', () => {
    const saved = state();
    const yesterday = hold(100n);
    addHold(saved, yesterday);
    const today = hold(40n, { day: '2026-11-22' });
    addHold(saved, today);
    replaceHold(saved, yesterday, 10n);
    expect(saved.spending).toEqual([today]);
  });

  it('is not forgotten where the clock goes back', () => {
    const saved = state();
    addHold(saved, hold(40n, { day: '2026-11-22' }));
    addHold(saved, hold(1n));
    expect(spentOn(saved, hold(0n, { day: '2026-11-22' }))).toBe(40n);
  });
});
