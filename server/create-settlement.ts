import { createJob, type Job } from './chain/create-job.ts';
import {
  createSettlementQueue,
  type SettlementQueue,
  type SettlementQueueOptions,
} from './settlement/settlement-queue.ts';

/** The settlement of direct payments, and what keeps it going. */
export interface Settlement {
  queue: SettlementQueue;
  jobs: readonly Job<void>[];
}

/** How often payments are looked for that no call waits for any more. */
const dueIntervalMs = 2_000;
const maxDueRetryMs = 30_000;
/** How often losses are looked at; the queue tries each less and less often. */
const lossIntervalMs = 60_000;

/** Wires the settlement worker. */
export function createSettlement(options: Omit<SettlementQueueOptions, 'nowMs'>): Settlement {
  const { log } = options;
  const queue = createSettlementQueue({ ...options, nowMs: () => Date.now() });
  const settleDue = createJob({
    ...{ name: 'settle payments', intervalMs: dueIntervalMs, maxRetryMs: maxDueRetryMs, log },
    work: () => queue.settleDue(),
  });
  const retryLosses = createJob({
    ...{ name: 'retry lost payments', intervalMs: lossIntervalMs, maxRetryMs: lossIntervalMs, log },
    work: () => queue.retryLosses(),
  });
  const settleCarried = createJob({
    ...{ name: 'see payments through', intervalMs: lossIntervalMs, maxRetryMs: lossIntervalMs, log },
    work: () => queue.settleCarried(),
  });
  return { queue, jobs: [settleDue, settleCarried, retryLosses] };
}
