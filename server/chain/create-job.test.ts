import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { createJob } from './create-job.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Work whose runs end when the test says so. */
function heldWork() {
  const runs: PromiseWithResolvers<number>[] = [];
  const work = () => {
    const run = Promise.withResolvers<number>();
    runs.push(run);
    return run.promise;
  };
  return { runs, work };
}

describe('a job', () => {
  it('never overlaps itself; requests during a run share the one after it', async () => {
    const { runs, work } = heldWork();
    const job = createJob({ name: 'test', intervalMs: 1_000, work, log: quiet });
    const first = job.run();
    const [second, third] = [job.run(), job.run()];
    await vi.advanceTimersByTimeAsync(0);
    expect(runs).toHaveLength(1);
    runs[0]?.resolve(1);
    expect(await first).toBe(1);
    await vi.advanceTimersByTimeAsync(0);
    expect(runs).toHaveLength(2);
    runs[1]?.resolve(2);
    expect(await Promise.all([second, third])).toEqual([2, 2]);
    const fourth = job.run();
    runs[2]?.resolve(3);
    expect(await fourth).toBe(3);
  });

  it('repeats at its interval, more slowly after failures, and tells the log', async () => {
    const started: number[] = [];
    const error = vi.fn();
    let failing = true;
    const work = async () => {
      started.push(Date.now());
      if (failing) throw new AutoPayError('chain_unavailable', 'no chain');
    };
    const begin = Date.now();
    const job = createJob({ name: 'test', intervalMs: 1_000, work, log: { ...quiet, error } });
    job.start();
    await vi.advanceTimersByTimeAsync(6_500);
    expect(started.map((time) => time - begin)).toEqual([0, 2_000, 6_000]);
    expect(error).toHaveBeenLastCalledWith(
      expect.objectContaining({
        job: 'test',
        error: expect.objectContaining({ code: 'chain_unavailable' }),
        retryInMs: 8_000,
      }),
      expect.anything(),
    );
    failing = false;
    await vi.advanceTimersByTimeAsync(8_500);
    expect(started.map((time) => time - begin).slice(3)).toEqual([14_000, 15_000]);
    await job.stop();
  });

  it('pauses after failures no longer than it is told to, and never less than its interval', async () => {
    const started: number[] = [];
    const work = async () => {
      started.push(Date.now());
      throw new AutoPayError('chain_unavailable', 'no chain');
    };
    const begin = Date.now();
    const bounded = createJob({ name: 'test', intervalMs: 1_000, maxRetryMs: 3_000, work, log: quiet });
    bounded.start();
    await vi.advanceTimersByTimeAsync(9_000);
    await bounded.stop();
    expect(started.map((time) => time - begin)).toEqual([0, 2_000, 5_000, 8_000]);

    started.length = 0;
    const steady = createJob({ name: 'test', intervalMs: 4_000, maxRetryMs: 3_000, work, log: quiet });
    steady.start();
    await vi.advanceTimersByTimeAsync(9_000);
    await steady.stop();
    expect(started.map((time) => time - begin)).toEqual([9_000, 13_000, 17_000]);
  });

  it('ends what runs when it is stopped, and starts nothing more', async () => {
    const { runs, work } = heldWork();
    const job = createJob({ name: 'test', intervalMs: 1_000, work, log: quiet });
    job.start();
    await vi.advanceTimersByTimeAsync(0);
    let stopped = false;
    const stopping = job.stop().then(() => (stopped = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(stopped).toBe(false);
    runs[0]?.resolve(1);
    await stopping;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(runs).toHaveLength(1);
    await expect(job.run()).rejects.toMatchObject({ code: 'overloaded' });
  });
});
