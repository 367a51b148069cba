/**
 * The load client, a process of its own. Reads one JSON job from standard input, prints one JSON result.
 * Requests are built, and vouchers signed, before the clock starts.
 */
import { text } from 'node:stream/consumers';
import { Pool } from 'undici';
import { fromHex, toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { signDigest } from '../../protocol/bytes/secp256k1.ts';
import { parseChallenges } from '../../protocol/mpp/challenge.ts';
import { formatCredential } from '../../protocol/mpp/credential.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { verifySignedReceipt } from '../../protocol/receipt/verify-signed-receipt.ts';
import { voucherDigest, voucherDomainSeparator } from '../../protocol/typed-data/voucher.ts';

/** What to do. */
export interface LoadJob {
  url: string;
  body: string;
  connections: number;
  /** Requests in all. */
  requests: number;
  /** Present: every request carries a voucher of its own; lane n uses channel n modulo their number. */
  vouchers?: {
    privateKey: Hex;
    chainId: number;
    escrow: Hex;
    channels: { channelId: Hex; firstCumulative: string }[];
    /** Added to the cumulative amount with each call: at least the quote. */
    step: string;
  };
  /** Present: every 100th receipt is verified. */
  receipts?: { chainId: number; autoPayLLM: Hex; signer: Hex };
}

/** What was seen. */
export interface LoadResult {
  answers: number;
  failures: number;
  firstFailure: string | null;
  durationMs: number;
  p50Us: number;
  p99Us: number;
  verifiedReceipts: number;
}

async function signCredentials(job: LoadJob): Promise<string[]> {
  const { vouchers } = job;
  if (vouchers === undefined) return [];
  const response = await fetch(job.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: job.body,
  });
  const [challenge] = parseChallenges(response.headers.get('www-authenticate') ?? '');
  if (challenge === undefined)
    throw new Error(`no challenge from ${job.url}: ${response.status} ${await response.text()}`);
  const separator = voucherDomainSeparator({ chainId: vouchers.chainId, verifyingContract: vouchers.escrow });
  const key = fromHex(vouchers.privateKey, 32);
  const next = vouchers.channels.map((channel) => BigInt(channel.firstCumulative));
  return Array.from({ length: job.requests }, (_, index) => {
    const lane = index % vouchers.channels.length;
    const channelId = vouchers.channels[lane]?.channelId ?? '0x';
    const cumulativeAmount = (next[lane] ?? 0n) + BigInt(vouchers.step);
    next[lane] = cumulativeAmount;
    const signature = toHex(signDigest(voucherDigest(separator, { channelId, cumulativeAmount }), key));
    const payload = { action: 'voucher', channelId, cumulativeAmount: cumulativeAmount.toString(), signature };
    return formatCredential({ challenge, payload });
  });
}

async function run(job: LoadJob): Promise<LoadResult> {
  const { origin, pathname } = new URL(job.url);
  const credentials = await signCredentials(job);
  const pool = new Pool(origin, { connections: job.connections, pipelining: 1 });
  const latenciesUs: number[] = [];
  const sampledReceipts: string[] = [];
  const failures: string[] = [];
  let next = 0;
  async function lane(): Promise<void> {
    while (next < job.requests) {
      const index = next;
      next += 1;
      const authorization = credentials[index];
      const start = process.hrtime.bigint();
      const { statusCode, headers, body } = await pool.request({
        path: pathname,
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) },
        body: job.body,
      });
      const answer = await body.text();
      latenciesUs.push(Number(process.hrtime.bigint() - start) / 1000);
      const receipt = headers['x-autopay-receipt'];
      if (statusCode !== 200) failures.push(`${statusCode} ${answer.slice(0, 300)}`);
      else if (index % 100 === 0 && typeof receipt === 'string') sampledReceipts.push(receipt);
    }
  }
  const start = process.hrtime.bigint();
  await Promise.all(Array.from({ length: job.connections }, lane));
  const durationMs = Number(process.hrtime.bigint() - start) / 1e6;
  await pool.close();
  latenciesUs.sort((a, b) => a - b);
  return {
    answers: job.requests - failures.length,
    failures: failures.length,
    firstFailure: failures[0] ?? null,
    durationMs,
    p50Us: latenciesUs[Math.floor(latenciesUs.length * 0.5)] ?? 0,
    p99Us: latenciesUs[Math.floor(latenciesUs.length * 0.99)] ?? 0,
    verifiedReceipts: verifyReceipts(job, sampledReceipts),
  };
}

function verifyReceipts(job: LoadJob, sampled: readonly string[]): number {
  const { receipts } = job;
  if (receipts === undefined) return 0;
  const scope = { chainId: receipts.chainId, verifyingContract: receipts.autoPayLLM };
  for (const receipt of sampled) verifySignedReceipt(decodeSignedReceipt(receipt), { scope, signer: receipts.signer });
  return sampled.length;
}

const job = JSON.parse(await text(process.stdin)) as LoadJob;
process.stdout.write(`${JSON.stringify(await run(job))}\n`);
