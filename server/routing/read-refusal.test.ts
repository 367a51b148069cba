import { expect, test } from 'vitest';
import { makeResponse } from '../call/call-fixtures.ts';
import { classifyRefusal } from './classify-refusal.ts';
import { readRefusal } from './read-refusal.ts';

const read = (error: object) => readRefusal(makeResponse([JSON.stringify({ error })], { status: 403 }));

test('what speaks of the relay’s key is none of the client’s business', async () => {
  expect(await read({ message: 'The key sk-a**z may not do this.' })).toBeNull();
  expect(await read({ message: 'Forbidden', code: 'forbidden' })).toBeNull();
});

test('flagged content is the client’s, though the status is that of a refused key', async () => {
  const refusal = await read({ message: 'The model requires moderation and your input was flagged.', code: 403 });
  expect(refusal).toMatchObject({ status: 400, error: { message: expect.stringContaining('flagged') as string } });
  expect(classifyRefusal(403, refusal)).toBe('content_policy');
});
