import { expect, test } from 'vitest';
import { createBackoff } from './backoff.ts';

const minuteMs = 60_000;

test('waits twice as long each time, up to the most', () => {
  let nowMs = 0;
  const backoff = createBackoff({ firstMs: minuteMs, mostMs: 60 * minuteMs, nowMs: () => nowMs });
  const turns: number[] = [];
  for (; nowMs < 300 * minuteMs; nowMs += minuteMs) if (backoff.take(['a']).has('a')) turns.push(nowMs / minuteMs);
  expect(turns).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
});

test('each has its own turn, and begins anew where it was gone', () => {
  let nowMs = 0;
  const backoff = createBackoff({ firstMs: 10, mostMs: 100, nowMs: () => nowMs });
  expect([...backoff.take(['a'])]).toEqual(['a']);
  nowMs = 5;
  expect([...backoff.take(['a', 'b'])]).toEqual(['b']);
  expect([...backoff.take([])]).toEqual([]);
  expect([...backoff.take(['a', 'b'])]).toEqual(['a', 'b']);
});
