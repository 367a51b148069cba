import { expect, test } from 'vitest';
import { LateFailures, lateFailureWindowMs, maxLateFailures } from './late-failures.ts';

const start = 1_000_000;
const refusal = (failures: LateFailures, payer: string, nowMs: number) => {
  try {
    failures.require(payer, nowMs);
    return null;
  } catch (error) {
    return error;
  }
};

test('a payer of whose answers too many broke off waits until they are forgotten; others do not', () => {
  const failures = new LateFailures();
  for (let count = 1; count < maxLateFailures; count += 1) failures.note('p', { isLate: true, nowMs: start });
  expect(refusal(failures, 'p', start)).toBeNull();
  failures.note('p', { isLate: true, nowMs: start + 1_000 });
  expect(refusal(failures, 'p', start + 1_000)).toMatchObject({
    code: 'rate_limit_exceeded',
    facts: { retryAfterSeconds: lateFailureWindowMs / 1_000 - 1 },
  });
  expect(refusal(failures, 'q', start + 1_000)).toBeNull();
  expect(refusal(failures, 'p', start + lateFailureWindowMs)).toBeNull();
});

test('who is answered as often has met a provider that fails', () => {
  const failures = new LateFailures();
  for (let count = 0; count < maxLateFailures; count += 1) {
    failures.note('p', { isLate: true, nowMs: start });
    failures.note('p', { isLate: false, nowMs: start });
  }
  expect(refusal(failures, 'p', start)).toBeNull();
  failures.note('p', { isLate: true, nowMs: start });
  expect(refusal(failures, 'p', start)).not.toBeNull();
});
