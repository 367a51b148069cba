import { expect, test } from 'vitest';
import { readRetryAfter } from './read-retry-after.ts';

const now = Date.parse('2026-11-21T12:00:00Z');

test.each([
  [{ 'retry-after': '3' }, 3_000],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': '1.5' }, 1_500],
  [{ 'retry-after': ' 2 ' }, 2_000],
  [{ 'retry-after-ms': '250', 'retry-after': '9' }, 250],
  [{ 'retry-after-ms': '0.4' }, 1],
  [{ 'retry-after-ms': 'soon', 'retry-after': '9' }, 9_000],
  [{ 'retry-after': 'Sat, 21 Nov 2026 12:00:05 GMT' }, 5_000],
  [{ 'retry-after': 'Saturday, 21-Nov-26 12:00:05 GMT' }, 5_000],
  [{ 'retry-after': 'Sat Nov 21 12:00:05 2026 GMT' }, 5_000],
  [{ 'retry-after': 'Sat, 21 Nov 2026 11:59:00 GMT' }, 0],
  [{ 'retry-after': '999999999' }, 86_400_000],
  [{ 'retry-after': '-3' }, null],
  [{ 'retry-after': 'later' }, null],
  [{ 'retry-after': '1e9' }, null],
  [{ 'retry-after': '' }, null],
  [{}, null],
])('%o is %s ms', (headers, expected) => {
  expect(readRetryAfter(headers, now)).toBe(expected);
});
