import type { ChargeRequest, ReserveRequest } from './ledger.ts';
import { testKey, testScope } from './ledger-fixtures.ts';
import { openLedger } from './open-ledger.ts';
import { setTimeout as sleep } from 'node:timers/promises';

/*
 * A process for the crash tests: reserves, says so, charges, says so; the test kills it with SIGKILL at a line of its
 * choice. The plan comes in the environment variable AUTOPAY_TEST_CRASH.
 */

/** What the test asks of the process. */
export interface CrashPlan {
  dataDir: string;
  commitDelayMs: number;
  /** The line at which the test kills. */
  until: string;
  reserve: ReserveRequest;
  charge: ChargeRequest;
}

/** JSON that keeps BigInts; Buffers do by themselves. */
export function toText(plan: CrashPlan): string {
  return JSON.stringify(plan, (_key, value: unknown) => {
    if (typeof value === 'bigint') return { bigint: value.toString() };
    return value;
  });
}

function fromText(text: string): CrashPlan {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    if ('bigint' in value) return BigInt(String(value.bigint));
    if ('type' in value && value.type === 'Buffer' && 'data' in value) return Buffer.from(value.data as number[]);
    return value;
  }) as CrashPlan;
}

/** Long enough for a commit that does not wait as it must to reach the disk, and so to be caught. */
const settleMs = 300;

async function tellDurable({ commitDelayMs, until }: CrashPlan, durable: Promise<void>): Promise<void> {
  if (commitDelayMs > 0) await sleep(settleMs);
  process.stdout.write('decided\n');
  await durable;
  process.stdout.write('durable\n');
  // Or the charge could be durable too by the time the signal comes.
  if (until === 'durable') await sleep(60_000);
}

async function run(plan: CrashPlan): Promise<void> {
  const ledger = await openLedger({
    dataDir: plan.dataDir,
    chainId: testScope.chainId,
    receiptScope: testScope,
    receiptKey: testKey,
    commitDelayMs: plan.commitDelayMs,
  });
  const outcome = await ledger.reserve(plan.reserve);
  if (!outcome.ok) throw new Error(outcome.refusal.code);
  // One that may wait shares the commit of its charge.
  if (plan.reserve.mayWait !== true) await tellDurable(plan, outcome.durable);
  const charged = ledger.charge(plan.charge);
  if (plan.commitDelayMs > 0) await sleep(settleMs);
  process.stdout.write('charging\n');
  process.stdout.write(`charged ${(await charged).signedReceipt}\n`);
  setInterval(() => undefined, 1000);
}

const text = process.env['AUTOPAY_TEST_CRASH'];
if (import.meta.main && text !== undefined) await run(fromText(text));
