import { expect, test } from 'vitest';
import type { UpstreamRefusal } from '../call/router.ts';
import { classifyRefusal, isModelMissing } from './classify-refusal.ts';

function refusal(error: Partial<UpstreamRefusal['error']>): UpstreamRefusal['error'] {
  return { message: '', type: '', param: null, code: null, ...error };
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
  [404, 'absent'],
  [405, 'absent'],
  [410, 'absent'],
  [409, 'request'],
])('%i without words is %s', (status, expected) => {
  expect(classifyRefusal(status, refusal({}))).toBe(expected);
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
  expect(classifyRefusal(404, refusal({ message: 'no such context window' }))).toBe('absent');
  expect(classifyRefusal(409, refusal({ message: 'flagged' }))).toBe('request');
  expect(classifyRefusal(503, refusal({ code: 'content_filter' }))).toBe('transient');
});

test.each([
  [429, { code: 'insufficient_quota', message: 'You exceeded your current quota, please check your plan.' }],
  [429, { type: 'exceeded_current_quota_error' }],
  [400, { message: 'Your credit balance is too low to access the Anthropic API.', type: 'invalid_request_error' }],
  [400, { message: 'Incorrect API key provided: xa***yz.' }],
  [400, { message: 'Incorrect%20API%20key%20provided:%20xa***yz.' }],
  [400, { message: 'API key not valid. Please pass a valid API key.' }],
  [412, { message: 'Account relay is suspended, possibly due to reaching the monthly spending limit.' }],
])('%i with %o speaks of the relay’s account', (status, error) => {
  expect(classifyRefusal(status, refusal(error))).toBe('refused_key');
});

test('a request that has such words in it does not rest the provider for all', () => {
  const quoted = "Invalid value: 'your credit balance is too low'. API key not valid.";
  expect(classifyRefusal(400, refusal({ message: quoted }))).toBe('request');
  // Google says so of a limit that begins anew within the minute.
  expect(classifyRefusal(429, refusal({ message: 'You exceeded your current quota.', code: '429' }))).toBe(
    'rate_limit',
  );
});

test('a model that is missing is so for everybody, another absence perhaps for one request', () => {
  expect(isModelMissing(refusal({ code: 'model_not_found' }))).toBe(true);
  expect(isModelMissing(refusal({ type: 'not_found_error' }))).toBe(true);
  expect(isModelMissing(refusal({ message: 'No endpoints found that support tool use.', code: '404' }))).toBe(false);
});

test('content that xAI refuses does not rest its key, though that is named', () => {
  const message =
    'Content violates usage guidelines. Team: 07fc2db0, API key ID: 7f5b4c2a, Model: grok-4, Failed check: SAFETY_CHECK_TYPE_BIO';
  expect(classifyRefusal(403, refusal({ message, code: 'upstream_error' }))).toBe('content_policy');
  expect(classifyRefusal(403, refusal({ message: 'Your account: content violates usage guidelines.' }))).toBe(
    'refused_key',
  );
});

test('a model that is not for the relay’s project does not rest the key for the others', () => {
  const message = 'Project `proj_x` does not have access to model `m`';
  expect(classifyRefusal(403, refusal({ message, code: 'model_not_found' }))).toBe('absent');
  expect(classifyRefusal(403, refusal({ message }))).toBe('refused_key');
});

test('a request above the whole limit of a minute does not rest the deployment for smaller ones', () => {
  const message =
    'Request too large for m in organization org-x on tokens per min (TPM): Limit 30000, Requested 40000.';
  const error = refusal({ message, type: 'tokens', code: 'rate_limit_exceeded' });
  expect([429, 413].map((status) => classifyRefusal(status, error))).toEqual(['absent', 'absent']);
  expect(classifyRefusal(429, { ...error, message: 'Rate limit reached for m' })).toBe('rate_limit');
  expect(classifyRefusal(413, refusal({ message: 'Request too large', code: 'request_too_large' }))).toBe('request');
});
