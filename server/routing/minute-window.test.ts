import { expect, test } from 'vitest';
import { MinuteWindow } from './minute-window.ts';

const start = 1_700_000_000_000;

test('counts what is at most 60 seconds old', () => {
  const window = new MinuteWindow();
  window.add(3, start);
  window.add(4, start + 30_000);
  expect(window.sum(start + 59_999)).toBe(7);
  expect(window.sum(start + 60_000)).toBe(4);
  expect(window.sum(start + 90_000)).toBe(0);
});

test('forgets everything after a long pause, and remembers nothing when the clock is set back', () => {
  const window = new MinuteWindow();
  window.add(5, start);
  expect(window.sum(start + 3_600_000)).toBe(0);
  window.add(2, start + 3_600_000);
  expect(window.sum(start)).toBe(2);
});

test('says when there is room again', () => {
  const window = new MinuteWindow();
  window.add(2, start);
  window.add(2, start + 10_000);
  expect(window.fallsToAtMs(4, start + 20_000)).toBe(start + 20_000);
  expect(window.fallsToAtMs(3, start + 20_000)).toBe(start + 60_000);
  expect(window.fallsToAtMs(1, start + 20_000)).toBe(start + 70_000);
  expect(window.sum(start + 60_000)).toBe(2);
});
