import { expect, it } from 'vitest';
import { formatTime } from './format-time.ts';

it('writes a time of the chain in UTC, to the second', () => {
  expect(formatTime(0)).toBe('1970-01-01T00:00:00Z');
  expect(formatTime(1_795_264_088)).toBe('2026-11-21T12:28:08Z');
});
