import type { LoadJob, LoadResult } from '../load.ts';
import { readThreads, type ThreadUsage } from '../process-usage.ts';
import { runLoad } from '../run-load.ts';

/** A server that is measured, and how it is asked. */
export interface Subject {
  name: string;
  url: string;
  pid: number;
  model: string;
  /** What a job of so many requests is paid with, and what its receipts are checked against. */
  extras: (requests: number) => Pick<LoadJob, 'headers' | 'vouchers' | 'receipts'>;
}

/** How much is asked of each. */
export interface LoadSize {
  requests: number;
  connections: number;
  /** Streams at one time; 0 leaves them out. */
  streams: number;
}

/** A subject under one kind of call. */
export interface Measured {
  /** As much as it takes. */
  load: LoadResult;
  /** At half of that. */
  half: LoadResult;
  /** The upstream alone, asked as often a second. */
  directHalf: LoadResult;
  /** Many streams at one time; null for JSON. */
  burst: LoadResult | null;
  /** CPU time of a call under load, microseconds. */
  cpu: ThreadUsage | undefined;
  /** Answers in all. */
  answers: number;
  /** Receipts that were verified: each load client throws at one that is wrong. */
  receipts: number;
}

const maxTokens = 16;
/** Half load lasts this long at least, and has at least so many requests. */
const leastHalfSeconds = 1;
const leastHalfRequests = 100;

/**
 * Measures a subject with JSON or streamed calls.
 * @throws Error if any call fails, or a receipt is wrong
 */
export async function measureSubject(
  subject: Subject,
  options: { isStreamed: boolean; size: LoadSize; direct: Subject },
): Promise<Measured> {
  const { direct, isStreamed: stream, size } = options;
  let answers = 0;
  let receipts = 0;
  const ask = async (asked: Subject, job: Pick<LoadJob, 'connections' | 'requests' | 'perSecond'>) => {
    const messages = [{ role: 'user', content: 'Say hello.' }];
    const body = JSON.stringify({ model: asked.model, messages, max_tokens: maxTokens, ...(stream && { stream }) });
    const url = `${asked.url}/v1/chat/completions`;
    const result = await runLoad({ url, body, ...job, ...asked.extras(job.requests) });
    if (result.failures > 0) {
      throw new Error(`${asked.name}: ${result.failures} calls failed, first: ${result.firstFailure}`);
    }
    if (asked === subject) answers += result.answers;
    receipts += result.sampledReceipts;
    return result;
  };
  const { connections, requests } = size;
  await ask(subject, { connections, requests: Math.max(100, Math.floor(requests / 5)) });
  const before = readThreads(subject.pid);
  const load = await ask(subject, { connections, requests });
  const after = readThreads(subject.pid);
  const perSecond = (load.answers / load.durationMs) * 500;
  const halfRequests = Math.max(leastHalfRequests, Math.min(requests, Math.ceil(leastHalfSeconds * perSecond)));
  const paced = { connections: 4 * connections, requests: halfRequests, perSecond };
  const half = await ask(subject, paced);
  const directHalf = await ask(direct, paced);
  const { streams } = size;
  const burst = stream && streams > 0 ? await ask(subject, { connections: streams, requests: streams }) : null;
  const cpu = before && after && subtract(after, before, requests);
  return { load, half, directHalf, burst, cpu, answers, receipts };
}

function subtract(after: ThreadUsage, before: ThreadUsage, calls: number): ThreadUsage {
  const perCall = (thread: keyof ThreadUsage) => (after[thread] - before[thread]) / calls;
  return {
    ...{ main: perCall('main'), ledger: perCall('ledger') },
    ...{ signatures: perCall('signatures'), others: perCall('others') },
  };
}
