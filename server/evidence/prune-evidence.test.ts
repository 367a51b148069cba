import { expect, test } from 'vitest';
import { createEvidencePruning } from './prune-evidence.ts';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const dayMs = 86_400_000;

/** Pruning with a ledger that has so much to forget. */
function pruneFrom(left: number, { retentionDays = 60, clock = { nowMs: 100 * dayMs, elapsedMs: 0 } } = {}) {
  const asked: number[] = [];
  const pruning = createEvidencePruning({
    ledger: {
      pruneEvidence(beforeMs) {
        asked.push(beforeMs);
        const some = Math.min(left, 50);
        left -= some;
        return Promise.resolve(some);
      },
    },
    ...{ retentionDays, log, nowMs: () => clock.nowMs, elapsedMs: () => clock.elapsedMs },
  });
  return { pruning, asked };
}

test('all that was kept long enough goes, some at a time', async () => {
  const { pruning, asked } = pruneFrom(120);
  await pruning.run();
  expect(asked).toEqual(Array(4).fill(40 * dayMs));
  await pruning.stop();
});

test('nothing is from before all time', async () => {
  const { pruning, asked } = pruneFrom(0, { retentionDays: 36_500 });
  await pruning.run();
  expect(asked).toEqual([0]);
  await pruning.stop();
});

test('a stop does not wait until everything is gone', async () => {
  const { pruning, asked } = pruneFrom(Infinity);
  const running = pruning.run();
  await pruning.stop();
  await running;
  expect(asked.length).toBeLessThan(3);
});

test('a clock that is set ahead, or back, takes nothing that is not old enough', async () => {
  const clock = { nowMs: 100 * dayMs, elapsedMs: 7.5 };
  const { pruning, asked } = pruneFrom(0, { clock });
  Object.assign(clock, { nowMs: 9_000 * dayMs, elapsedMs: dayMs + 8.25 });
  await pruning.run();
  clock.nowMs = 90 * dayMs;
  await pruning.run();
  clock.nowMs = 101 * dayMs;
  await pruning.run();
  expect(asked).toEqual([41 * dayMs, 30 * dayMs, 41 * dayMs]);
  await pruning.stop();
});
