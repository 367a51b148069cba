import { expect, test } from 'vitest';
import { readDuration, readLimitReset } from './read-limit-reset.ts';

const now = Date.parse('2026-11-21T12:00:00Z');

test.each([
  ['1s', 1_000],
  ['120ms', 120],
  ['6m0s', 360_000],
  ['2m59.56s', 179_560],
  ['1h2m', 3_720_000],
  ['99999h', 86_400_000],
  ['', null],
  ['soon', null],
  ['5', null],
])('the duration %s is %s ms', (text, expected) => {
  expect(readDuration(text)).toBe(expected);
});

test.each<[Record<string, string>, number | null]>([
  // OpenAI and Groq: what has something left does not count.
  [{ 'x-ratelimit-remaining-requests': '9', 'x-ratelimit-reset-requests': '1h0m0s' }, null],
  [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '7.66s' }, 7_660],
  [{ 'x-ratelimit-reset-requests': '2s', 'x-ratelimit-reset-tokens': '900ms' }, 2_000],
  // Cerebras.
  [{ 'x-ratelimit-remaining-tokens-minute': '0', 'x-ratelimit-reset-tokens-minute': '11.382867097855' }, 11_383],
  // OpenRouter, and others in seconds.
  [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(now + 4_000) }, 4_000],
  [{ 'x-ratelimit-reset': String(now / 1_000 + 4) }, 4_000],
  [{ 'ratelimit-reset': '30' }, 30_000],
  [{ 'x-ratelimit-reset': String(now - 4_000) }, 0],
  // Anthropic.
  [
    { 'anthropic-ratelimit-requests-remaining': '0', 'anthropic-ratelimit-requests-reset': '2026-11-21T12:00:09Z' },
    9_000,
  ],
  [
    { 'anthropic-ratelimit-tokens-remaining': '1000', 'anthropic-ratelimit-tokens-reset': '2026-11-21T12:00:09Z' },
    null,
  ],
  [{ 'x-ratelimit-reset-requests': 'soon', 'x-ratelimit-limit-requests': '7s' }, null],
  [{}, null],
])('%o is %s ms', (headers, expected) => {
  expect(readLimitReset(headers, now)).toBe(expected);
});
