import { expect, test } from 'vitest';
import { createRepeatLimit } from './limit-repeats.ts';

test('each is let through once in its time', () => {
  let nowMs = 0;
  const mayPass = createRepeatLimit({ everyMs: 60, nowMs: () => nowMs });
  const passed: string[] = [];
  for (; nowMs < 130; nowMs += 10) {
    if (mayPass('a')) passed.push(`a${nowMs}`);
    if (nowMs >= 30 && mayPass('b')) passed.push(`b${nowMs}`);
  }
  expect(passed).toEqual(['a0', 'b30', 'a60', 'b90', 'a120']);
});

test('nothing new passes while 10,000 are remembered', () => {
  let nowMs = 0;
  const mayPass = createRepeatLimit({ everyMs: 60, nowMs: () => nowMs });
  for (let at = 0; at < 10_000; at += 1) expect(mayPass(String(at))).toBe(true);
  expect(mayPass('one more')).toBe(false);
  nowMs = 60;
  expect(mayPass('one more')).toBe(true);
});
