import { expect, test } from 'vitest';
import { readUpstreamError } from './read-upstream-error.ts';

test('reads OpenAI’s shape, and a text in its place', () => {
  const error = { message: 'no', type: 't', param: 'p', code: 'c' };
  expect(readUpstreamError({ error }, 400)).toEqual(error);
  expect(readUpstreamError({ error: 'no' }, 400)).toMatchObject({ message: 'no', code: 'upstream_error' });
  // A number stays what it says.
  expect(readUpstreamError({ error: { message: 'no', code: 429 } }, 429).code).toBe('429');
});

test('what stands in other members stays in the relay, unless the provider is known to tell it there', () => {
  const body = { object: 'error', message: 'too many tokens', detail: 'quota' };
  expect(readUpstreamError(body, 422).message).toBe('The provider answered with status 422.');
  expect(readUpstreamError(body, 422, 'message').message).toBe('too many tokens');
  expect(readUpstreamError(body, 422, 'detail').message).toBe('quota');
  expect(readUpstreamError({ ...body, error: { message: 'first' } }, 422, 'message').message).toBe('first');
});

test('lists of faults, as FastAPI has them, become a sentence', () => {
  const detail = [{ type: 'extra_forbidden', loc: ['body', 'stream_options'], msg: 'Extra inputs are not permitted' }];
  const text = 'Extra inputs are not permitted: body.stream_options';
  expect(readUpstreamError({ detail }, 422, 'detail').message).toBe(text);
  expect(readUpstreamError({ message: { detail } }, 422, 'message').message).toBe(text);
  expect(readUpstreamError({ message: {} }, 422, 'message').message).toBe('The provider answered with status 422.');
});

test('Google’s errors stand in a list', () => {
  const body = [{ error: { code: 400, message: 'no', status: 'INVALID_ARGUMENT' } }];
  expect(readUpstreamError(body, 400)).toMatchObject({ message: 'no', code: '400' });
});

test('the relay’s organization, project, team and key are not named', () => {
  const message =
    'Rate limit reached for m in organization `org_01hzz4xkqafbsv9e2y6m1c8n3p` (proj_AbCdEfGhIjKlMnOpQr) on tokens';
  expect(readUpstreamError({ error: { message } }, 429).message).toBe(
    'Rate limit reached for m in organization `org_…` (proj_…) on tokens',
  );
  const id = '07fc2db0-1b5f-4c0e-9d36-0c1d2e3f4a5b';
  expect(readUpstreamError({ error: `Team: ${id}, API key ID: ${id}, Model: grok-4` }, 403).message).toBe(
    'Team: …, API key ID: …, Model: grok-4',
  );
  expect(readUpstreamError({ error: 'an org-chart, proj-ect' }, 400).message).toBe('an org-chart, proj-ect');
});
