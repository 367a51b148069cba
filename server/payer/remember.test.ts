import { expect, it } from 'vitest';
import { remember } from './remember.ts';

it('a question is asked once for as long as its answer holds, and again after a failure', async () => {
  let [asked, now] = [0, 0];
  let answer: () => Promise<number> = async () => asked;
  const ask = remember({
    ask: () => {
      asked += 1;
      return answer();
    },
    ...{ lifetimeMs: 100, nowMs: () => now },
  });
  expect(await Promise.all([ask('a'), ask('a'), ask('b')])).toEqual([1, 1, 2]);
  now = 99;
  expect(await ask('a')).toBe(1);
  now = 100;
  expect(await ask('a')).toBe(3);
  answer = () => Promise.reject(new Error('gone'));
  await expect(ask('c')).rejects.toThrow('gone');
  answer = async () => asked;
  expect(await ask('c')).toBe(5);
});
