import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createBriefAsker } from './ask-briefly.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('answers as the chain does, and fails as it does', async () => {
  const ask = createBriefAsker();
  expect(await ask(() => Promise.resolve(7))).toBe(7);
  await expect(ask(() => Promise.reject(new Error('away')))).rejects.toThrow('away');
  expect(await ask(() => Promise.resolve(8))).toBe(8);
  expect(vi.getTimerCount()).toBe(0);
});

it('waits once for a chain that hangs, and asks again when it answers', async () => {
  const ask = createBriefAsker();
  const { promise, resolve } = Promise.withResolvers<number>();
  const first = ask(() => promise);
  const refused = expect(first).rejects.toMatchObject({ code: 'chain_unavailable' });
  await vi.advanceTimersByTimeAsync(2_000);
  await refused;
  let asked = 0;
  const next = () => {
    asked += 1;
    return Promise.resolve(asked);
  };
  await expect(ask(next)).rejects.toMatchObject({ code: 'chain_unavailable' });
  expect(asked).toBe(0);
  resolve(1);
  await vi.advanceTimersByTimeAsync(0);
  expect(await ask(next)).toBe(1);
});
