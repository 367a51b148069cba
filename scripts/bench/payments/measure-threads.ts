import type { Worker } from 'node:worker_threads';

/** CPU time of one kind of call, user and system, microseconds each. */
export interface ThreadTimes {
  mainUs: number;
  /** Of each worker, in the order in which they were given. */
  workersUs: number[];
}

/** How many calls are under way at one time: what comes together is grouped, as in a relay under load. */
const lanes = 32;

/**
 * Runs `call` for each item, some at a time, and takes the CPU time of the threads. Time that a busy machine makes a thread
 * wait is not in it.
 */
export async function measureThreads<T>(
  items: readonly T[],
  options: { workers: readonly Worker[]; call: (item: T) => Promise<unknown> },
): Promise<ThreadTimes> {
  const { call, workers } = options;
  const before = await readThreads(workers);
  let next = 0;
  const runLane = async () => {
    for (let index = next++; index < items.length; index = next++) {
      const item = items[index];
      if (item !== undefined) await call(item);
    }
  };
  await Promise.all(Array.from({ length: lanes }, runLane));
  const after = await readThreads(workers);
  const [mainUs = 0, ...workersUs] = after.map((us, index) => (us - (before[index] ?? 0)) / items.length);
  return { mainUs, workersUs };
}

/** The main thread's CPU time, then that of each worker. */
async function readThreads(workers: readonly Worker[]): Promise<number[]> {
  const usages = await Promise.all(workers.map((worker) => worker.cpuUsage()));
  return [process.threadCpuUsage(), ...usages].map(({ user, system }) => user + system);
}
