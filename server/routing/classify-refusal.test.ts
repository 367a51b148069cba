import { expect, test } from 'vitest';
import type { UpstreamRefusal } from '../call/router.ts';
import { classifyRefusal } from './classify-refusal.ts';

function refusal(error: Partial<UpstreamRefusal['error']>): UpstreamRefusal {
  return { status: 400, error: { message: '', type: '', param: null, code: null, ...error }, headers: {} };
}

test.each([
  [301, 'transient'],
  [408, 'transient'],
  [500, 'transient'],
  [529, 'transient'],
  [429, 'rate_limit'],
  [401, 'refused_key'],
  [402, 'refused_key'],
  [403, 'refused_key'],
  [407, 'refused_key'],
  [400, 'request'],
  [404, 'request'],
  [409, 'request'],
])('%i without words is %s', (status, expected) => {
  expect(classifyRefusal(status, null)).toBe(expected);
});

test.each([
  [{ code: 'context_length_exceeded' }, 'context_window'],
  [{ message: "This model's maximum context length is 8192 tokens." }, 'context_window'],
  [{ message: 'prompt is too long: 250000 tokens > 200000 maximum' }, 'context_window'],
  [{ message: 'Please reduce the length of the messages.' }, 'context_window'],
  [{ code: 'content_policy_violation' }, 'content_policy'],
  [{ code: 'content_filter' }, 'content_policy'],
  [{ message: 'Your request was rejected as a result of our safety system.' }, 'content_policy'],
  [{ message: 'temperature must be a number' }, 'request'],
] as const)('%o is %s', (error, expected) => {
  expect(classifyRefusal(400, refusal(error))).toBe(expected);
});

test.each([
  [{ code: 'content_filter' }, 'content_policy'],
  [{ code: 'context_length_exceeded' }, 'context_window'],
  [{ message: 'The chosen model requires moderation and your input was flagged.' }, 'content_policy'],
  [{ message: 'Your account has been flagged.' }, 'refused_key'],
  [{ message: 'This key may not use content filters of the organization.' }, 'refused_key'],
  [{ message: 'Forbidden' }, 'refused_key'],
] as const)('403 with %o is %s', (error, expected) => {
  expect(classifyRefusal(403, refusal(error))).toBe(expected);
});

test('words of other statuses are not read', () => {
  expect(classifyRefusal(404, refusal({ message: 'no such context window' }))).toBe('request');
  expect(classifyRefusal(503, refusal({ code: 'content_filter' }))).toBe('transient');
});
