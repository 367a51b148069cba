import type { DatabaseSync } from 'node:sqlite';
import type { RowCaches } from './row-cache.ts';
import { numberOf } from './rows.ts';

/** What the next charge follows on, whatever its chain. */
export interface LogEndState {
  /** Position of the next charge in the log. */
  size: number;
  nextBatchId: number;
  /** Of the last charge, unix milliseconds / 3,600,000; null before the first. */
  hour: number | null;
}

/** The end of the log, which the stores of all chains write. */
export interface LogEnd {
  /** Read from the tables once, and again after a rollback. Whoever adds to the log MUST count it on. */
  get(): LogEndState;
}

/** Prepares the statement once. */
export function createLogEnd(db: DatabaseSync, caches: RowCaches): LogEnd {
  const select = db.prepare(
    `SELECT (SELECT coalesce(max(log_index), -1) + 1 FROM charges) AS size,
       (SELECT coalesce(max(batch_id), 0) + 1 FROM receipt_batches) AS next_batch_id,
       (SELECT hour FROM log_hours ORDER BY first_index DESC LIMIT 1) AS hour`,
  );
  let known: LogEndState | undefined;
  caches.onRollback(() => (known = undefined));

  function read(): LogEndState {
    const row = select.get() ?? {};
    return {
      size: numberOf(row, 'size'),
      nextBatchId: numberOf(row, 'next_batch_id'),
      hour: row['hour'] === null ? null : numberOf(row, 'hour'),
    };
  }

  return { get: () => (known ??= read()) };
}
