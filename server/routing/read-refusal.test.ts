import { expect, test } from 'vitest';
import { makeResponse } from '../call/call-fixtures.ts';
import { readRefusal } from './read-refusal.ts';

const readBody = (status: number, body: unknown) => readRefusal(makeResponse([JSON.stringify(body)], { status }));
const read = (error: object) => readBody(403, { error });

test('what speaks of the relay’s key is none of the client’s business', async () => {
  expect(await read({ message: 'The key sk-a**z may not do this.' })).toMatchObject({ refusal: null });
  expect(await read({ message: 'Forbidden', code: 'forbidden' })).toMatchObject({ refusal: null });
});

test('nor what speaks of its account, whatever the status', async () => {
  const refused = { class: 'refused_key', refusal: null };
  const credit = { type: 'error', error: { type: 'invalid_request_error', message: 'Your credit balance is too low' } };
  expect(await readBody(400, credit)).toMatchObject(refused);
  expect(await readBody(429, { error: { message: 'no', code: 'insufficient_quota' } })).toMatchObject(refused);
  // xAI's shape.
  const shown = { code: 'Client specified an invalid argument', error: 'Incorrect API key provided: xa***yz.' };
  expect(await readBody(400, shown)).toMatchObject(refused);
});

test('flagged content is the client’s, though the status is that of a refused key', async () => {
  const found = await read({ message: 'The model requires moderation and your input was flagged.', code: 403 });
  expect(found).toMatchObject({
    class: 'content_policy',
    refusal: { status: 400, error: { message: expect.stringContaining('flagged') as string } },
  });
});

test('a model that is missing is told as that, and so counted, whatever the status', async () => {
  const found = await read({ message: 'Project `p` does not have access to model `m`', code: 'model_not_found' });
  expect(found).toMatchObject({ class: 'absent', isModelMissing: true, refusal: { status: 404 } });
});

test('Google’s errors stand in a list, with the time to wait', async () => {
  const details = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34.5s' }];
  const found = await readBody(429, [{ error: { code: 429, message: 'Resource exhausted', details } }]);
  expect(found).toMatchObject({
    ...{ class: 'rate_limit', retryDelayMs: 34_500 },
    refusal: { status: 429, error: { message: 'Resource exhausted', code: '429' } },
  });
  expect(await readBody(429, [])).toMatchObject({ retryDelayMs: null });
});

test('a body that cannot be read leaves the status', async () => {
  const answer = makeResponse(['<html>'], { status: 404 });
  expect(await readRefusal(answer)).toMatchObject({ class: 'absent', isModelMissing: false, refusal: { status: 404 } });
});
