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
import { signCredentials } from './relay/sign-credentials.ts';

/** What to do. */
export interface LoadJob {
  url: string;
  body: string;
  /** Of each request, beside its content type. */
  headers?: Record<string, string>;
  connections: number;
  /** Requests in all. */
  requests: number;
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

/** What was seen. Times are microseconds from the request. */
export interface LoadResult {
  answers: number;
  failures: number;
  firstFailure: string | null;
  durationMs: number;
  p50Us: number;
  p99Us: number;
  /** To the first piece of the body. */
  firstChunkP50Us: number;
  firstChunkP99Us: number;
  sampledReceipts: number;
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

async function run(job: LoadJob): Promise<LoadResult> {
  const { perSecond, receipts, requests } = job;
  const credentials = await signCredentials(job);
  const pool = new Pool(new URL(job.url).origin, { connections: job.connections, pipelining: 1 });
  const answered: Answered[] = [];
  let sent = 0;
  const sendNext = async () => {
    const index = sent++;
    answered[index] = await call(pool, job, credentials[index]);
  };
  const start = performance.now();
  if (perSecond === undefined) {
    const lane = async () => {
      while (sent < requests) await sendNext();
    };
    await Promise.all(Array.from({ length: job.connections }, lane));
  } else {
    const calls: Promise<void>[] = [];
    while (sent < requests) {
      const due = Math.min(requests, Math.ceil(((performance.now() - start) / 1_000) * perSecond));
      while (sent < due) calls.push(sendNext());
      await sleep(1);
    }
    await Promise.all(calls);
  }
  const durationMs = performance.now() - start;
  await pool.close();
  const failures = answered.flatMap(({ failure }) => failure ?? []);
  const sampled = receipts ? answered.flatMap(({ receipt }, index) => (index % 100 === 0 ? (receipt ?? []) : [])) : [];
  if (receipts) {
    const scope = { chainId: receipts.chainId, verifyingContract: receipts.autoPayLLM };
    for (const receipt of sampled)
      verifySignedReceipt(decodeSignedReceipt(receipt), { scope, signer: receipts.signer });
  }
  const [p50Us, p99Us] = percentiles(answered.map(({ totalUs }) => totalUs));
  const [firstChunkP50Us, firstChunkP99Us] = percentiles(answered.map(({ firstChunkUs }) => firstChunkUs));
  return {
    ...{ answers: requests - failures.length, failures: failures.length, firstFailure: failures[0] ?? null },
    ...{ durationMs, p50Us, p99Us, firstChunkP50Us, firstChunkP99Us, sampledReceipts: sampled.length },
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
