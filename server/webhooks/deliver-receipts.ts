import type { JobLog } from '../chain/job-log.ts';
import type { WebhookDelivery, WebhookLedger, WebhookResult } from '../ledger/webhook-ledger.ts';
import { describeReceipt } from './describe-receipt.ts';
import type { MessagePoster } from './post-message.ts';

/** What the delivery to one receiver works with. */
export interface DeliverReceiptsDeps {
  url: string;
  /** The receiver as the log calls it: without what may be secret in the URL. */
  name: string;
  ledger: Pick<WebhookLedger, 'listDueDeliveries' | 'recordDeliveries'>;
  poster: Pick<MessagePoster, 'post'>;
  /** Tries at the same time, at most. */
  concurrency: number;
  nowMs: () => number;
  /** From 0 to below 1; spreads what failed together. */
  random: () => number;
  log: JobLog;
  /** No further try is begun once it is aborted, and what was under way is not recorded: it is sent again. */
  signal: AbortSignal;
}

/** Receipts that are taken at a time: a crash repeats at most so many. */
const batchSize = 64;

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** Pauses after the first try, the second and so on (Standard Webhooks, "Deliverability and reliability"); after the last try, none. */
export const retryPausesMs: readonly number[] = [
  ...[5_000, 5 * minuteMs, 30 * minuteMs, 2 * hourMs, 5 * hourMs, 10 * hourMs, 14 * hourMs, 20 * hourMs, 24 * hourMs],
];

/**
 * Delivers what is due, until nothing is. Each receipt is delivered at least once: it is recorded after the receiver took it, so a crash
 * in between sends it again, with the same id. Receipts are first tried in the order of the log.
 */
export async function deliverReceipts(deps: DeliverReceiptsDeps): Promise<void> {
  const { url, ledger, signal } = deps;
  while (!signal.aborted) {
    const due = await ledger.listDueDeliveries({ url, nowMs: deps.nowMs(), limit: batchSize });
    if (due.length === 0) return;
    const results = await deliverAll(deps, due);
    if (signal.aborted) return;
    await ledger.recordDeliveries({ url, results });
  }
}

async function deliverAll(deps: DeliverReceiptsDeps, due: readonly WebhookDelivery[]): Promise<WebhookResult[]> {
  const results: WebhookResult[] = [];
  const left = due.values();
  const work = async () => {
    for (const delivery of left) {
      if (deps.signal.aborted) return;
      results.push(await deliverOne(deps, delivery));
    }
  };
  await Promise.all(Array.from({ length: deps.concurrency }, work));
  return results;
}

async function deliverOne(deps: DeliverReceiptsDeps, delivery: WebhookDelivery): Promise<WebhookResult> {
  const { index, attempts } = delivery;
  const refusal = await deps.poster.post(describeReceipt(delivery));
  if (refusal === null) return { index, failure: null };
  const { reason, isFinal } = refusal;
  const pauseMs = isFinal ? undefined : retryPausesMs[attempts];
  if (pauseMs !== undefined) {
    const nextAtMs = deps.nowMs() + Math.floor(pauseMs * (1 + deps.random() / 5));
    return { index, failure: { reason, nextAtMs } };
  }
  const { callId } = delivery;
  const message =
    'a receipt could not be delivered to its webhook; mend the receiver, then POST /v1/operator/webhooks/retry';
  deps.log.error({ webhook: deps.name, callId, attempts: attempts + 1, reason }, message);
  return { index, failure: { reason, nextAtMs: null } };
}
