import { afterEach, expect, it, vi } from 'vitest';
import { createAbandonedCalls } from './abandoned-calls.ts';

afterEach(() => vi.useRealTimers());

const request = (headers: Record<string, string>, more: { url?: string; text?: string } = {}) => ({
  ...{
    url: more.url ?? 'https://relay.example/v1',
    headers: new Headers(headers),
    body: Buffer.from(more.text ?? 'a'),
  },
  signal: new AbortController().signal,
});
const left = (key: string) => request({ 'idempotency-key': key });
const repeated = (count = '1', more = {}) => request({ 'x-stainless-retry-count': count }, more);

it('gives each key once, to a repetition of the same request', () => {
  const calls = createAbandonedCalls();
  calls.note(left('one'));
  calls.note(left('two'));
  calls.note(request({}));
  expect(calls.take(repeated('1', { text: 'b' }))).toBeUndefined();
  expect(calls.take(repeated('1', { url: 'https://other.example/v1' }))).toBeUndefined();
  expect([1, 2, 3].map(() => calls.take(repeated('2')))).toEqual(['one', 'two', undefined]);
});

it.each([request({}), repeated('0'), repeated('many')])('gives none to what is no repetition', (anew) => {
  const calls = createAbandonedCalls();
  calls.note(left('one'));
  expect(calls.take(anew)).toBeUndefined();
  expect(calls.take(repeated())).toBe('one');
});

it('forgets after a while, and what is too much', () => {
  vi.useFakeTimers();
  const calls = createAbandonedCalls();
  calls.note(left('one'));
  vi.advanceTimersByTime(120_000);
  expect(calls.take(repeated())).toBeUndefined();
  for (let index = 0; index < 1_001; index += 1) calls.note(left(String(index)));
  expect(calls.take(repeated())).toBe('1');
});
