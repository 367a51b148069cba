import { expect, it } from 'vitest';
import { maxQuestions, maxReplayedBytes, maxWaitingPerCall, RunningCalls } from './running-calls.ts';

it('a call can be waited for until it has ended, also if it fails', async () => {
  const running = new RunningCalls();
  const gate = Promise.withResolvers<void>();
  const call = running.run('a', () => gate.promise);
  const end = running.find('a');
  expect(end).toBeDefined();
  expect(running.find('b')).toBeUndefined();
  gate.reject(new Error('broken'));
  await expect(call).rejects.toThrow('broken');
  await end;
  expect(running.find('a')).toBeUndefined();
});

it('the waiting are counted by call, up to a bound', () => {
  const running = new RunningCalls();
  const ends = Array.from({ length: maxWaitingPerCall }, () => running.beginWait('a'));
  expect(ends.every((end) => end !== undefined)).toBe(true);
  expect(running.beginWait('a')).toBeUndefined();
  expect(running.beginWait('b')).toBeDefined();
  ends[0]?.();
  expect(running.beginWait('a')).toBeDefined();
  expect(running.beginWait('a')).toBeUndefined();
});

it('who asks about a call while the books are asked shares the answer; later ones ask anew', async () => {
  const running = new RunningCalls();
  const answer = { state: 'released', answer: null, result: null } as const;
  const gate = Promise.withResolvers<typeof answer>();
  let asked = 0;
  const findAnswer = () => {
    asked += 1;
    return gate.promise;
  };
  const both = [running.ask('a', findAnswer), running.ask('a', findAnswer)];
  gate.resolve(answer);
  expect(await Promise.all(both)).toEqual([answer, answer]);
  expect(asked).toBe(1);
  await running.ask('a', findAnswer);
  expect(asked).toBe(2);
  await expect(running.ask('b', () => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
  expect(await running.ask('b', findAnswer)).toEqual(answer);
});

it('the books are asked about a bounded number of calls at one time, and about all of them in the end', async () => {
  const running = new RunningCalls();
  const open = new Set<() => void>();
  let most = 0;
  const findAnswer = async (callId: string) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    open.add(resolve);
    most = Math.max(most, open.size);
    await promise.finally(() => open.delete(resolve));
    if (callId === '3') throw new Error('gone');
    return undefined;
  };
  const asked = Array.from({ length: 3 * maxQuestions }, (_, at) => running.ask(String(at), findAnswer));
  const ended = Promise.allSettled(asked);
  let isOver = false;
  void ended.then(() => (isOver = true));
  while (!isOver) {
    for (const end of open) end();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(most).toBe(maxQuestions);
  expect((await ended).filter(({ status }) => status === 'fulfilled')).toHaveLength(3 * maxQuestions - 1);
});

it('answers that are sent again take a bounded number of bytes', () => {
  const running = new RunningCalls();
  const end = running.beginReplay(maxReplayedBytes - 10);
  expect(running.beginReplay(11)).toBeUndefined();
  expect(running.beginReplay(10)).toBeDefined();
  end?.();
  expect(running.beginReplay(11)).toBeDefined();
});
