import { describe, expect, it } from 'vitest';
import { addDuration, isDuration, periodAt } from './budget-period.ts';

const at = (text: string) => Date.parse(text);
const from = at('2026-11-21T15:00:00Z') / 1_000;

describe('a duration', () => {
  it('is a number and a unit, of at most ten years', () => {
    for (const text of ['30s', '5m', '12h', '1d', '2w', '1mo', '3650d']) expect(isDuration(text), text).toBe(true);
    for (const text of ['', '0d', '1', 'd', '1y', '-1d', '1.5d', '3651d', '1 d', '01d', '999999999w']) {
      expect(isDuration(text), text).toBe(false);
    }
  });

  it('leads from one moment to another', () => {
    expect(addDuration(at('2026-11-21T15:00:00Z'), '30d')).toBe(at('2026-12-21T15:00:00Z'));
    expect(addDuration(at('2026-01-31T15:00:00Z'), '1mo')).toBe(at('2026-02-28T15:00:00Z'));
    expect(addDuration(at('2026-11-30T15:00:00Z'), '3mo')).toBe(at('2027-02-28T15:00:00Z'));
    expect(() => addDuration(0, 'soon')).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
});

describe('the periods of a budget', () => {
  it('follow each other from when it was set, without a gap', () => {
    const terms = { budgetDuration: '1d', budgetFrom: from };
    expect(periodAt(terms, from * 1_000)).toEqual({ window: from, endsAtSeconds: from + 86_400 });
    expect(periodAt(terms, (from + 86_400) * 1_000 - 1).window).toBe(from);
    expect(periodAt(terms, (from + 86_400) * 1_000).window).toBe(from + 86_400);
    expect(periodAt(terms, at('2026-12-01T00:00:00Z')).window).toBe(from + 9 * 86_400);
  });

  it('do not go back with the clock', () => {
    expect(periodAt({ budgetDuration: '1h', budgetFrom: from }, (from - 5_000) * 1_000).window).toBe(from);
  });

  it('in months are those of the calendar', () => {
    const terms = { budgetDuration: '1mo', budgetFrom: from };
    const period = periodAt(terms, at('2026-12-31T23:59:59.999Z'));
    expect(period).toEqual({
      window: at('2026-12-01T00:00:00Z') / 1_000,
      endsAtSeconds: at('2027-01-01T00:00:00Z') / 1_000,
    });
    expect(periodAt({ ...terms, budgetDuration: '3mo' }, at('2026-11-21T15:00:00Z')).window).toBe(
      at('2026-10-01T00:00:00Z') / 1_000,
    );
  });

  it('are one for all time where there is no duration', () => {
    expect(periodAt({ budgetDuration: null, budgetFrom: from }, 0)).toEqual({ window: 0, endsAtSeconds: null });
  });
});
