/**
 * The load client, a process of its own. Reads one JSON job from standard input, prints one JSON result.
 * Requests are built, and vouchers signed, before the clock starts.
 */
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { verifySignedReceipt } from '../../protocol/receipt/verify-signed-receipt.ts';
import { readThreads, type ThreadUsage } from './process-usage.ts';
import { signCredentials } from './relay/sign-credentials.ts';

/** What to do. */
export interface LoadJob {
  url: string;
  body: string;
  /** Of each request, beside its content type. */
  headers?: Record<string, string>;
  connections: number;
  /** Requests that count. */
  requests: number;
  /** Sent before them in the same way, so that neither this client nor the server is measured cold; 0 by default. */
  warmUp?: number;
  /** Whose threads' CPU time is read while the requests that count are under way. */
  pid?: number;
  /** Sends so many a second, whether or not answers come; otherwise as fast as they do. */
  perSecond?: number;
  /** Present: every request carries a voucher of its own; request n uses channel n modulo their number. */
  vouchers?: {
    privateKey: Hex;
    chainId: number;
    escrow: Hex;
    channels: { channelId: Hex; firstCumulative: string }[];
    /** Added to the cumulative amount with each call: at least the quote. */
    step: string;
  };
  /** Present: each answer has a receipt, and every 100th is verified. */
  receipts?: { chainId: number; autoPayLLM: Hex; signer: Hex };
}

/** What was seen. Times are microseconds from the request. Answers, failures and receipts are those of the warm-up too. */
export interface LoadResult {
  answers: number;
  failures: number;
  firstFailure: string | null;
  durationMs: number;
  /** Requests answered a second. */
  perSecond: number;
  p50Us: number;
  p99Us: number;
  /** To the first piece of the body. */
  firstChunkP50Us: number;
  firstChunkP99Us: number;
  sampledReceipts: number;
  /** CPU time of the server for each request, microseconds; where there is /proc. */
  cpu: ThreadUsage | null;
}

interface Answered {
  failure: string | null;
  receipt: string | undefined;
  firstChunkUs: number;
  totalUs: number;
}

async function call(pool: Pool, job: LoadJob, authorization: string | undefined): Promise<Answered> {
  const start = process.hrtime.bigint();
  const sinceStart = () => Number(process.hrtime.bigint() - start) / 1_000;
  const { statusCode, headers, body } = await pool.request({
    path: new URL(job.url).pathname,
    method: 'POST',
    headers: { 'content-type': 'application/json', ...job.headers, ...(authorization && { authorization }) },
    body: job.body,
  });
  const chunks: Buffer[] = [];
  let firstChunkUs = NaN;
  for await (const chunk of body) {
    if (chunks.length === 0) firstChunkUs = sinceStart();
    chunks.push(chunk as Buffer);
  }
  const totalUs = sinceStart();
  const answer = Buffer.concat(chunks).toString();
  const isStream = String(headers['content-type']).startsWith('text/event-stream');
  const receipt = isStream ? /^: autopay-receipt (\S+)$/m.exec(answer)?.[1] : headers['x-autopay-receipt']?.toString();
  const isWhole = statusCode === 200 && (isStream ? answer.includes('data: [DONE]') : answer.endsWith('}'));
  const isRight = isWhole && (job.receipts === undefined || receipt !== undefined);
  return { failure: isRight ? null : `${statusCode} ${answer.slice(0, 300)}`, receipt, firstChunkUs, totalUs };
}

/** Sends some of the job's requests, and gives what came back, in their order. */
type Send = (from: number, to: number) => Promise<Answered[]>;

/** As fast as the connections take them. */
function sendAtOnce({ connections }: LoadJob, sendOne: (index: number) => Promise<Answered>): Send {
  return async (from, to) => {
    const answered: Answered[] = [];
    let next = from;
    const lane = async () => {
      for (let index = next++; index < to; index = next++) answered[index - from] = await sendOne(index);
    };
    await Promise.all(Array.from({ length: connections }, lane));
    return answered;
  };
}

/** So many a second, whether or not answers come. */
function sendPaced(perSecond: number, sendOne: (index: number) => Promise<Answered>): Send {
  return async (from, to) => {
    const calls: Promise<Answered>[] = [];
    const start = performance.now();
    while (calls.length < to - from) {
      const due = Math.min(to - from, Math.ceil(((performance.now() - start) / 1_000) * perSecond));
      while (calls.length < due) calls.push(sendOne(from + calls.length));
      await sleep(1);
    }
    return Promise.all(calls);
  };
}

async function run(job: LoadJob): Promise<LoadResult> {
  const { perSecond, pid, requests, warmUp = 0 } = job;
  const credentials = await signCredentials({ ...job, requests: warmUp + requests });
  const pool = new Pool(new URL(job.url).origin, { connections: job.connections, pipelining: 1 });
  const sendOne = (index: number) => call(pool, job, credentials[index]);
  const send = perSecond === undefined ? sendAtOnce(job, sendOne) : sendPaced(perSecond, sendOne);
  const warmed = await send(0, warmUp);
  const before = pid === undefined ? undefined : readThreads(pid);
  const start = performance.now();
  const counted = await send(warmUp, warmUp + requests);
  const durationMs = performance.now() - start;
  const after = pid === undefined ? undefined : readThreads(pid);
  await pool.close();
  const answered = [...warmed, ...counted];
  const failures = answered.flatMap(({ failure }) => failure ?? []);
  const [p50Us, p99Us] = percentiles(counted.map(({ totalUs }) => totalUs));
  const [firstChunkP50Us, firstChunkP99Us] = percentiles(counted.map(({ firstChunkUs }) => firstChunkUs));
  return {
    ...{ answers: answered.length - failures.length, failures: failures.length, firstFailure: failures[0] ?? null },
    ...{ durationMs, perSecond: (requests / durationMs) * 1_000 },
    ...{ p50Us, p99Us, firstChunkP50Us, firstChunkP99Us },
    sampledReceipts: verifySample(job, answered),
    cpu: before && after ? perCall(before, after, requests) : null,
  };
}

/** Every 100th receipt. @throws AutoPayError if one is wrong */
function verifySample({ receipts }: LoadJob, answered: readonly Answered[]): number {
  if (!receipts) return 0;
  const sampled = answered.flatMap(({ receipt }, index) => (index % 100 === 0 ? (receipt ?? []) : []));
  const scope = { chainId: receipts.chainId, verifyingContract: receipts.autoPayLLM };
  for (const receipt of sampled) verifySignedReceipt(decodeSignedReceipt(receipt), { scope, signer: receipts.signer });
  return sampled.length;
}

function perCall(before: ThreadUsage, after: ThreadUsage, calls: number): ThreadUsage {
  const share = (thread: keyof ThreadUsage) => (after[thread] - before[thread]) / calls;
  return {
    ...{ main: share('main'), ledger: share('ledger') },
    ...{ signatures: share('signatures'), others: share('others') },
  };
}

/** The 50th and the 99th. */
function percentiles(values: number[]): [number, number] {
  const sorted = values.sort((left, right) => left - right);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? NaN;
  return [at(0.5), at(0.99)];
}

const job = JSON.parse(await text(process.stdin)) as LoadJob;
process.stdout.write(`${JSON.stringify(await run(job))}\n`);
