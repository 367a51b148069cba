import { expect, test } from 'vitest';
import { createBarriers } from './barriers.ts';

const never = new AbortController().signal;
const LONG = { timeoutMs: 10_000, maxNames: 2 };

test('holds until the last has arrived, then lets all go and is free again', async () => {
  const barriers = createBarriers(LONG);
  for (let round = 0; round < 2; round += 1) {
    let released = 0;
    const early = [1, 2].map(() => barriers.arrive({ name: 'a', count: 3, signal: never }).then(() => (released += 1)));
    await new Promise(setImmediate);
    expect(released).toBe(0);
    await barriers.arrive({ name: 'a', count: 3, signal: never });
    await Promise.all(early);
    expect(released).toBe(2);
  }
});

test('gives up after its time', async () => {
  const barriers = createBarriers({ timeoutMs: 20, maxNames: 2 });
  await expect(barriers.arrive({ name: 'a', count: 3, signal: never })).rejects.toMatchObject({
    status: 504,
    code: 'sim_barrier_timeout',
    message: 'Barrier a: 1 of 3 requests arrived within 20 ms.',
  });
});

test('who left does not count', async () => {
  const barriers = createBarriers(LONG);
  const leaving = new AbortController();
  const left = barriers.arrive({ name: 'a', count: 2, signal: leaving.signal });
  leaving.abort();
  await expect(left).rejects.toThrow('aborted');
  let released = false;
  const second = barriers.arrive({ name: 'a', count: 2, signal: never }).then(() => (released = true));
  await new Promise(setImmediate);
  expect(released).toBe(false);
  await barriers.arrive({ name: 'a', count: 2, signal: never });
  await second;
});

test('refuses another count, and more names than allowed', async () => {
  const barriers = createBarriers(LONG);
  const leaving = new AbortController();
  const waiting = ['a', 'b'].map((name) => barriers.arrive({ name, count: 2, signal: leaving.signal }));
  expect(() => barriers.arrive({ name: 'a', count: 3, signal: never })).toThrow(
    expect.objectContaining({ status: 400, code: 'invalid_sim_directive' }),
  );
  expect(() => barriers.arrive({ name: 'c', count: 2, signal: never })).toThrow(
    expect.objectContaining({ status: 503, code: 'sim_barrier_limit' }),
  );
  leaving.abort();
  await Promise.allSettled(waiting);
  void barriers.arrive({ name: 'c', count: 1, signal: never });
});
