import type { DatabaseSync } from 'node:sqlite';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { formatCallId } from '../../protocol/receipt/call-id.ts';
import { batchPaths } from './batch-paths.ts';
import { bytesOf, numberOf, textOf, type Row } from './rows.ts';
import type { FailedDelivery, RetriedDeliveries, WebhookDelivery, WebhookProgress } from './webhook-ledger.ts';

/** Reads and writes `webhooks` and `webhook_deliveries`. */
export interface WebhookStore {
  insert(url: string): void;
  nextIndex(url: string): number;
  setNextIndex(url: string, index: number): void;
  countWaiting(url: string): number;
  listDue(options: { url: string; nowMs: number; limit: number }): WebhookDelivery[];
  listNew(options: { from: number; limit: number }): WebhookDelivery[];
  putFailure(url: string, failure: Pick<FailedDelivery, 'index' | 'attempts' | 'nextAtMs' | 'reason'>): void;
  attempts(url: string, index: number): number;
  remove(url: string, index: number): void;
  listFailed(after: Pick<FailedDelivery, 'url' | 'index'>, limit: number): FailedDelivery[];
  progress(url: string): WebhookProgress;
  retry(options: { url: string; nowMs: number; after: number; limit: number }): RetriedDeliveries;
}

const noSalt = new Uint8Array(32);
const receiptColumns = 'log_index, call_id, chain_id, entry, batch_id, batch_index, signed_at_ms, signature';

/** Prepares the statements once. */
export function createWebhookStore(db: DatabaseSync): WebhookStore {
  const size = '(SELECT coalesce(max(log_index), -1) + 1 FROM charges)';
  const insert = db.prepare(`INSERT INTO webhooks (url, next_index) VALUES (?, ${size}) ON CONFLICT (url) DO NOTHING`);
  const nextIndex = db.prepare('SELECT next_index FROM webhooks WHERE url = ?');
  const setNextIndex = db.prepare('UPDATE webhooks SET next_index = ?2 WHERE url = ?1');
  const waiting = 'FROM webhook_deliveries WHERE url = ?1 AND next_at_ms IS NOT NULL';
  const countWaiting = db.prepare(`SELECT count(*) AS waiting ${waiting}`);
  const receipts = 'charges c JOIN receipt_batches b USING (batch_id)';
  const columns = receiptColumns
    .split(', ')
    .map((column) => (column.startsWith('sign') ? `b.${column}` : `c.${column}`))
    .join(', ');
  const due = db.prepare(
    `SELECT ${columns}, d.attempts FROM webhook_deliveries d JOIN charges c USING (log_index)
     JOIN receipt_batches b USING (batch_id)
     WHERE d.url = ? AND d.next_at_ms <= ? ORDER BY d.next_at_ms LIMIT ?`,
  );
  const fresh = db.prepare(
    `SELECT ${columns}, 0 AS attempts FROM ${receipts} WHERE c.log_index >= ? ORDER BY c.log_index LIMIT ?`,
  );
  const leaves = db.prepare('SELECT leaf_hash FROM charges WHERE batch_id = ? ORDER BY batch_index');
  const put = db.prepare(
    `INSERT INTO webhook_deliveries (url, log_index, attempts, next_at_ms, failure) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (url, log_index) DO UPDATE SET
       attempts = excluded.attempts, next_at_ms = excluded.next_at_ms, failure = excluded.failure`,
  );
  const attempts = db.prepare('SELECT attempts FROM webhook_deliveries WHERE url = ? AND log_index = ?');
  const remove = db.prepare('DELETE FROM webhook_deliveries WHERE url = ? AND log_index = ?');
  const failed = db.prepare(
    `SELECT d.*, c.call_id FROM webhook_deliveries d JOIN charges c USING (log_index)
     WHERE (d.url, d.log_index) > (?, ?) ORDER BY d.url, d.log_index LIMIT ?`,
  );
  const progress = db.prepare(
    `SELECT ${size} - w.next_index AS behind, (SELECT count(*) ${waiting}) AS waiting,
       (SELECT count(*) FROM webhook_deliveries WHERE url = ?1 AND next_at_ms IS NULL) AS dead
     FROM webhooks w WHERE w.url = ?1`,
  );

  /** Neighbours are mostly of one batch: its paths are computed once. */
  function readDeliveries(rows: readonly Row[]): WebhookDelivery[] {
    const pathsOf = new Map<number, readonly (readonly Uint8Array[])[]>();
    return rows.map((row) => {
      const batchId = numberOf(row, 'batch_id');
      const paths =
        pathsOf.get(batchId) ?? batchPaths(leaves.all(batchId).map((leaf) => bytesOf(leaf, 'leaf_hash'))).paths;
      pathsOf.set(batchId, paths);
      return deliveryOf(row, paths);
    });
  }

  return {
    insert: (url) => void insert.run(url),
    nextIndex(url) {
      const row = nextIndex.get(url);
      if (row === undefined) throw new AutoPayError('internal_error', 'This webhook was not opened.');
      return numberOf(row, 'next_index');
    },
    setNextIndex: (url, index) => void setNextIndex.run(url, index),
    countWaiting: (url) => numberOf(countWaiting.get(url) ?? {}, 'waiting'),
    listDue: ({ url, nowMs, limit }) => readDeliveries(due.all(url, nowMs, limit)),
    listNew: ({ from, limit }) => readDeliveries(fresh.all(from, limit)),
    putFailure: (url, { index, attempts: tried, nextAtMs, reason }) =>
      void put.run(url, index, tried, nextAtMs, reason.slice(0, 200)),
    attempts(url, index) {
      const row = attempts.get(url, index);
      return row === undefined ? 0 : numberOf(row, 'attempts');
    },
    remove: (url, index) => void remove.run(url, index),
    listFailed: ({ url, index }, limit) => failed.all(url, index, limit).map(failedOf),
    progress(url) {
      const row = progress.get(url) ?? { behind: 0, waiting: 0, dead: 0 };
      return { url, behind: numberOf(row, 'behind'), waiting: numberOf(row, 'waiting'), dead: numberOf(row, 'dead') };
    },
    retry: prepareRetry(db),
  };
}

/** Some at a time: the writer serves calls in between. */
function prepareRetry(db: DatabaseSync): WebhookStore['retry'] {
  const failedAfter = db.prepare(
    `SELECT max(log_index) AS last FROM
       (SELECT log_index FROM webhook_deliveries WHERE url = ? AND log_index > ? ORDER BY log_index LIMIT ?)`,
  );
  const retry = db.prepare(
    `UPDATE webhook_deliveries SET next_at_ms = ?2, attempts = 1 WHERE url = ?1 AND log_index > ?3 AND log_index <= ?4`,
  );
  return ({ url, nowMs, after, limit }) => {
    const { last } = failedAfter.get(url, after, limit) ?? {};
    if (typeof last !== 'number') return { count: 0, last: null };
    return { count: Number(retry.run(url, nowMs, after, last).changes), last };
  };
}

function deliveryOf(row: Row, paths: readonly (readonly Uint8Array[])[]): WebhookDelivery {
  const callId = formatCallId(bytesOf(row, 'call_id'));
  const position = numberOf(row, 'batch_index');
  const path = paths[position];
  if (path === undefined) throw new AutoPayError('internal_error', `The batch of call ${callId} is incomplete.`);
  return {
    index: numberOf(row, 'log_index'),
    callId,
    chainId: numberOf(row, 'chain_id'),
    signed: {
      entry: bytesOf(row, 'entry'),
      index: position,
      size: paths.length,
      signedAtMs: numberOf(row, 'signed_at_ms'),
      path,
      signature: bytesOf(row, 'signature'),
      ...{ requestSalt: noSalt, responseSalt: noSalt },
    },
    attempts: numberOf(row, 'attempts'),
  };
}

function failedOf(row: Row): FailedDelivery {
  return {
    url: textOf(row, 'url'),
    index: numberOf(row, 'log_index'),
    callId: formatCallId(bytesOf(row, 'call_id')),
    attempts: numberOf(row, 'attempts'),
    nextAtMs: row['next_at_ms'] === null ? null : numberOf(row, 'next_at_ms'),
    reason: textOf(row, 'failure'),
  };
}
