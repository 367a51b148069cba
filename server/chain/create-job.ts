import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { describeError } from '../log.ts';
import type { JobLog } from './job-log.ts';

/** Work that recurs. */
export interface Job<Result> {
  /**
   * Runs it now, to its end. Runs never overlap: a request during a run waits for one further run, which sees all that was
   * there when it was asked for; all who wait share that run.
   */
  run(): Promise<Result>;
  /** Runs it at once and then at its interval. */
  start(): void;
  /** Starts no further run, and resolves when the present one has ended. */
  stop(): Promise<void>;
}

/** What a job is. */
export interface JobOptions<Result> {
  name: string;
  intervalMs: number;
  /** The longest pause after failures, unless the interval itself is longer; eight intervals if it is not set. */
  maxRetryMs?: number;
  work: () => Promise<Result>;
  log: JobLog;
}

/** After a failure the pause doubles each time, up to this many intervals. */
const maxBackOff = 8;

/** Makes a job of a piece of work. On its interval it never throws: failures are logged, and tried again more slowly. */
export function createJob<Result>(options: JobOptions<Result>): Job<Result> {
  const { name, intervalMs, work, log } = options;
  const maxRetryMs = Math.max(intervalMs, options.maxRetryMs ?? intervalMs * maxBackOff);
  let current: Promise<unknown> | undefined;
  let next: Promise<Result> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let pauseMs = intervalMs;
  let stopped = false;

  function begin(): Promise<Result> {
    const result = work();
    const ended = result.then(
      () => undefined,
      () => undefined,
    );
    current = ended.finally(() => (current = undefined));
    return result;
  }

  async function run(): Promise<Result> {
    if (stopped)
      throw new AutoPayError('overloaded', `The relay is stopping; ${name} runs again after its next start.`);
    if (current === undefined && next === undefined) return begin();
    next ??= (async () => {
      await current;
      next = undefined;
      return begin();
    })();
    return next;
  }

  async function tick(): Promise<void> {
    try {
      await run();
      pauseMs = intervalMs;
    } catch (error) {
      pauseMs = Math.min(pauseMs * 2, maxRetryMs);
      log.error({ job: name, retryInMs: pauseMs, error: describeError(error) }, 'a background job failed');
    }
    if (!stopped) timer = setTimeout(() => void tick(), pauseMs);
  }

  return {
    run,
    start: () => void tick(),
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await next?.catch(() => undefined);
      await current;
    },
  };
}
