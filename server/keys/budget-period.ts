import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** Seconds of each unit of a duration but the month, which has no one length. */
const unitSeconds = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;
const pattern = /^([1-9][0-9]{0,8})(s|m|h|d|w|mo)$/;
const maxSeconds = 10 * 365 * 86_400;

/** A duration as LiteLLM writes it: `30s`, `5m`, `12h`, `1d`, `2w`, `1mo`. */
interface Duration {
  count: number;
  unit: keyof typeof unitSeconds | 'mo';
}

function parseDuration(text: string): Duration | undefined {
  const [, count = '', unit = ''] = pattern.exec(text) ?? [];
  if (count === '') return undefined;
  const duration: Duration = { count: Number(count), unit: unit as Duration['unit'] };
  const seconds = duration.count * (duration.unit === 'mo' ? 31 * 86_400 : unitSeconds[duration.unit]);
  return seconds <= maxSeconds ? duration : undefined;
}

/** Whether a text is a duration of at most ten years. */
export function isDuration(text: string): boolean {
  return parseDuration(text) !== undefined;
}

function requireDuration(text: string): Duration {
  const duration = parseDuration(text);
  if (duration) return duration;
  const message = `"${text.slice(0, 32)}" is no duration. Write a number and s, m, h, d, w or mo, as in 30d.`;
  throw new AutoPayError('invalid_request', message);
}

/**
 * The moment that lies a duration after another; a month later is the same day of a later month, or its last day.
 * @returns unix milliseconds
 * @throws AutoPayError `invalid_request`
 */
export function addDuration(fromMs: number, text: string): number {
  const { count, unit } = requireDuration(text);
  if (unit !== 'mo') return fromMs + count * unitSeconds[unit] * 1_000;
  const from = new Date(fromMs);
  const month = new Date(fromMs);
  month.setUTCMonth(from.getUTCMonth() + count, 1);
  const lastDay = new Date(Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + 1, 0)).getUTCDate();
  month.setUTCDate(Math.min(from.getUTCDate(), lastDay));
  return month.getTime();
}

/** One period of a budget, unix seconds. */
export interface BudgetPeriod {
  /** Names the period in the books; 0 for all time. */
  window: number;
  /** When the next one begins; null if never. */
  endsAtSeconds: number | null;
}

/**
 * The period of a budget at a time. Periods follow each other from `budgetFrom` without a gap; those in months are calendar
 * months in UTC, whatever day the budget was set on.
 *
 * @param terms.budgetDuration null: one period for all time
 * @param terms.budgetFrom unix seconds
 * @throws AutoPayError `invalid_request` if the duration is none
 */
export function periodAt(terms: { budgetDuration: string | null; budgetFrom: number }, nowMs: number): BudgetPeriod {
  if (terms.budgetDuration === null) return { window: 0, endsAtSeconds: null };
  const { count, unit } = requireDuration(terms.budgetDuration);
  if (unit === 'mo') {
    const now = new Date(nowMs);
    const months = now.getUTCFullYear() * 12 + now.getUTCMonth();
    const first = months - (months % count);
    const startOf = (month: number) => Date.UTC(Math.floor(month / 12), month % 12) / 1_000;
    return { window: startOf(first), endsAtSeconds: startOf(first + count) };
  }
  const lengthSeconds = count * unitSeconds[unit];
  // A clock that was set back leaves the first period in force.
  const passed = Math.max(0, Math.floor(nowMs / 1_000) - terms.budgetFrom);
  const window = terms.budgetFrom + Math.floor(passed / lengthSeconds) * lengthSeconds;
  return { window, endsAtSeconds: window + lengthSeconds };
}
