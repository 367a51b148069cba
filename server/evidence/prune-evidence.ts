import { createJob, type Job } from '../chain/create-job.ts';
import type { JobLog } from '../chain/job-log.ts';
import type { EvidenceLedger } from '../ledger/evidence-ledger.ts';

/** What is pruned, and when. */
export interface EvidencePruningOptions {
  ledger: Pick<EvidenceLedger, 'pruneEvidence'>;
  retentionDays: number;
  log: JobLog;
  /** Unix milliseconds. */
  nowMs: () => number;
  /** Of a clock that nobody sets; milliseconds. */
  elapsedMs?: () => number;
}

const hourMs = 3_600_000;
const dayMs = 86_400_000;

/**
 * Each hour, forgets the evidence of calls that were admitted longer ago than it is kept: some at a time, so that calls come in between.
 * A clock that is set ahead meanwhile is not believed: what is deleted never comes back.
 */
export function createEvidencePruning(options: EvidencePruningOptions): Job<void> {
  const { ledger, retentionDays, log, nowMs, elapsedMs = () => performance.now() } = options;
  const beganMs = nowMs() - elapsedMs();
  const stopping = new AbortController();
  const job = createJob({
    name: 'evidence',
    intervalMs: hourMs,
    async work() {
      const passedMs = Math.min(nowMs(), Math.floor(beganMs + elapsedMs()));
      const beforeMs = Math.max(0, passedMs - retentionDays * dayMs);
      let pruned = 0;
      while (!stopping.signal.aborted) {
        const some = await ledger.pruneEvidence(beforeMs);
        if (some === 0) break;
        pruned += some;
      }
      if (pruned > 0) log.info({ pruned, beforeMs }, 'pruned evidence that was kept long enough');
    },
    log,
  });
  return {
    ...job,
    stop() {
      stopping.abort();
      return job.stop();
    },
  };
}
