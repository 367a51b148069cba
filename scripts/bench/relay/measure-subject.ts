import type { LoadJob, LoadResult } from '../load.ts';
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
  /** Before those that count: an engine goes on compiling for tens of thousands of calls. */
  warmUp: number;
  connections: number;
  /** Streams at one time; 0 leaves them out. */
  streams: number;
}

/** The figures of a load that are compared. */
export type Load = Pick<LoadResult, 'perSecond' | 'p50Us' | 'p99Us' | 'firstChunkP50Us' | 'firstChunkP99Us' | 'cpu'>;

/** A subject under one kind of call. */
export interface Measured {
  /** As much as it takes. */
  load: Load;
  /** At half of that. */
  half: Load;
  /** The upstream alone, asked as often a second. */
  directHalf: Load;
  /** Many streams at one time; null for JSON. */
  burst: { streams: number; load: Load } | null;
  /** Answers in all. */
  answers: number;
  /** Receipts that were verified: each load client throws at one that is wrong. */
  receipts: number;
}

const maxTokens = 16;
/** Half load is measured for so long at least, and for so many requests. */
const leastHalfSeconds = 2;
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
  const ask = async (asked: Subject, job: Pick<LoadJob, 'connections' | 'requests' | 'perSecond' | 'warmUp'>) => {
    const messages = [{ role: 'user', content: 'Say hello.' }];
    const body = JSON.stringify({ model: asked.model, messages, max_tokens: maxTokens, ...(stream && { stream }) });
    const url = `${asked.url}/v1/chat/completions`;
    const extras = asked.extras(job.requests + (job.warmUp ?? 0));
    const result = await runLoad({ url, body, pid: asked.pid, ...job, ...extras });
    if (result.failures > 0) {
      throw new Error(`${asked.name}: ${result.failures} calls failed, first: ${result.firstFailure}`);
    }
    if (asked === subject) answers += result.answers;
    receipts += result.sampledReceipts;
    return result;
  };
  const { connections, requests, warmUp } = size;
  const load = await ask(subject, { connections, requests, warmUp });
  const perSecond = load.perSecond / 2;
  const halfRequests = Math.max(leastHalfRequests, Math.min(requests, Math.ceil(leastHalfSeconds * perSecond)));
  const paced = {
    connections: 4 * connections,
    requests: halfRequests,
    warmUp: Math.ceil(halfRequests / 2),
    perSecond,
  };
  const half = await ask(subject, paced);
  const directHalf = await ask(direct, paced);
  const { streams } = size;
  // Its warm-up opens the connections.
  const burst =
    stream && streams > 0
      ? { streams, load: await ask(subject, { connections: streams, requests: streams, warmUp: streams }) }
      : null;
  return { load, half, directHalf, burst, answers, receipts };
}
