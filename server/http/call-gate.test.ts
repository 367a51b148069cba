import { expect, test } from 'vitest';
import { createCallGate } from './call-gate.ts';

test('checks are bounded beside the calls, and each ends once', () => {
  const gate = createCallGate(1);
  const ends = Array.from({ length: 1_024 }, () => gate.beginCheck());
  expect(() => gate.beginCheck()).toThrow(expect.objectContaining({ code: 'overloaded' }));
  const leave = gate.enter();
  expect(() => gate.enter()).toThrow(expect.objectContaining({ code: 'overloaded' }));
  ends[0]?.();
  ends[0]?.();
  gate.beginCheck();
  expect(() => gate.beginCheck()).toThrow(expect.objectContaining({ code: 'overloaded' }));
  leave();
});

test('all have ended before it is drained', async () => {
  const gate = createCallGate(1);
  const [endCheck, leave] = [gate.beginCheck(), gate.enter()];
  let isDrained = false;
  const drained = gate.drain().then(() => (isDrained = true));
  expect(() => gate.beginCheck()).toThrow('stopping');
  leave();
  await Promise.resolve();
  expect(isDrained).toBe(false);
  endCheck();
  await drained;
});
