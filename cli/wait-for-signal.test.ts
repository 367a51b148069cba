import { expect, test } from 'vitest';
import { waitForSignal } from './wait-for-signal.ts';

test.each(['SIGTERM', 'SIGINT'] as const)('resolves at %s, and then listens to neither any more', async (name) => {
  const before = [process.listenerCount('SIGTERM'), process.listenerCount('SIGINT')];
  const waiting = waitForSignal();
  process.emit(name);
  await waiting;
  expect([process.listenerCount('SIGTERM'), process.listenerCount('SIGINT')]).toEqual(before);
});
