import type { JobLog } from '../chain/job-log.ts';
import type { WebhookDelivery, WebhookLedger, WebhookResult } from '../ledger/webhook-ledger.ts';
import { describeReceipt } from './describe-receipt.ts';
import type { MessagePoster } from './post-message.ts';

/** What the delivery to one receiver works with. */
export interface DeliverReceiptsDeps {
  url: string;
  /** The receiver as the log calls it: without what may be secret in the URL. */
  name: string;
  ledger: Pick<WebhookLedger, 'listDueDeliveries' | 'listWaitingDeliveries' | 'recordDeliveries'>;
  poster: Pick<MessagePoster, 'post'>;
  /** Tries at the same time, at most. */
  concurrency: number;
  nowMs: () => number;
  /** From 0 to below 1; spreads what failed together. */
  random: () => number;
  log: JobLog;
  /** Of this receiver, from one run to the next. */
  state: DeliveryState;
  /** No further try is begun once it is aborted, and what was under way is not recorded: it is sent again. */
  signal: AbortSignal;
}

/** What is known of a receiver while the relay runs. */
export interface DeliveryState {
  /** It said that it is not wanted (410): it is told nothing until the operator says so, or the next start. */
  isGone: boolean;
  /** Unix milliseconds: before then a queue that is full is not tried ahead of its time. */
  nextProbeAtMs: number;
}

/** Receipts that are taken at a time: a crash repeats at most so many. */
const batchSize = 64;

const minuteMs = 60_000;
/** How often a receiver is tried whose queue is full: the tries that are due may be a day away. */
const probePauseMs = minuteMs;
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
  const { url, ledger, signal, state } = deps;
  while (!signal.aborted && !state.isGone) {
    const { deliveries, isFull } = await ledger.listDueDeliveries({ url, nowMs: deps.nowMs(), limit: batchSize });
    if (deliveries.length === 0) {
      if (!isFull || !(await deliverWaiting(deps))) return;
      continue;
    }
    const results = await deliverAll(deps, deliveries);
    if (signal.aborted) return;
    await ledger.recordDeliveries({ url, results });
  }
}

/**
 * Where the queue is full, nothing new is told until what waits is delivered: now and then it is tried ahead of its time, and goes
 * on as long as the receiver takes it. A try that fails does not count.
 * @returns whether anything was delivered
 */
async function deliverWaiting(deps: DeliverReceiptsDeps): Promise<boolean> {
  const { url, ledger, name, signal, state } = deps;
  if (deps.nowMs() < state.nextProbeAtMs) return false;
  const [first, ...others] = await ledger.listWaitingDeliveries({ url, limit: batchSize });
  if (first === undefined) return false;
  const refusal = await deps.poster.post(describeReceipt(first));
  if (signal.aborted) return false;
  if (refusal !== null) {
    state.nextProbeAtMs = deps.nowMs() + probePauseMs;
    const message = 'the queue of a webhook is full: new receipts wait until its receiver answers again';
    deps.log.error({ webhook: name, reason: refusal.reason }, message);
    return false;
  }
  const results = await deliverAll(deps, others);
  if (signal.aborted) return false;
  const taken = [{ index: first.index, failure: null }, ...results.filter(({ failure }) => failure === null)];
  await ledger.recordDeliveries({ url, results: taken });
  return true;
}

async function deliverAll(deps: DeliverReceiptsDeps, due: readonly WebhookDelivery[]): Promise<WebhookResult[]> {
  const results: WebhookResult[] = [];
  const left = due.values();
  const work = async () => {
    for (const delivery of left) {
      // What is left is not named: new receipts are taken in order, so it is what comes after those that are.
      if (deps.signal.aborted || deps.state.isGone) return;
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
  if (isFinal) {
    if (!deps.state.isGone) {
      const message = 'a webhook is told nothing any more, since its receiver says that it is gone';
      deps.log.error({ webhook: deps.name, reason }, message);
    }
    deps.state.isGone = true;
    // One row for each try that was under way; the log is the queue of all others.
    return { index, failure: { reason, nextAtMs: deps.nowMs() } };
  }
  const pauseMs = retryPausesMs[attempts];
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
