import { expect, test } from 'vitest';
import { isFull } from './is-full.ts';

test.each([
  ['few operations, however long they ran', 63, 9_000, 0, false],
  ['enough, in the time of a commit', 64, 1, 1, true],
  ['enough, before the time of a commit', 64, 19.9, 20, false],
  ['too many, whatever a commit takes', 512, 0, 60_000, true],
  ['not too many yet', 511, 0, 60_000, false],
])('%s', (_what, operations, ranMs, commitMs, expected) => {
  expect(isFull({ operations, ranMs, commitMs })).toBe(expected);
});
