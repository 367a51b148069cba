import type { DatabaseSync } from 'node:sqlite';
import type { BlockPin, PinProgress, PinResult, PinState } from './pin-ledger.ts';
import { numberOf, textOf, type Row } from './rows.ts';

/** Reads and writes `pins`. */
export interface PinStore {
  /** Pins whose time has come, the longest first. */
  listDue(options: { keeper: string; nowMs: number; limit: number }): BlockPin[];
  /** Blocks after the last one that the keeper was asked for. */
  listNew(keeper: string, limit: number): BlockPin[];
  list(keeper: string, limit: number): BlockPin[];
  put(result: PinResult): void;
  remove(keeper: string, start: number): void;
  progress(keeper: string): PinProgress;
}

const maxFailureCharacters = 200;

/** Prepares the statements once. */
export function createPinStore(db: DatabaseSync): PinStore {
  const columns = 'SELECT p.*, b.size, b.cid FROM pins p JOIN blocks b USING (start) WHERE p.keeper = ?';
  const due = db.prepare(`${columns} AND p.next_at_ms <= ? ORDER BY p.next_at_ms LIMIT ?`);
  const listed = db.prepare(`${columns} ORDER BY p.start LIMIT ?`);
  const after = 'start > ifnull((SELECT max(start) FROM pins WHERE keeper = ?1), -1)';
  const fresh = db.prepare(
    `SELECT start, size, cid, 'queued' AS state, NULL AS request_id, 0 AS attempts, 0 AS next_at_ms
     FROM blocks WHERE ${after} ORDER BY start LIMIT ?2`,
  );
  const put = db.prepare(
    `INSERT INTO pins (keeper, start, state, request_id, attempts, next_at_ms, failure) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (keeper, start) DO UPDATE SET
       state = excluded.state, request_id = excluded.request_id, attempts = excluded.attempts,
       next_at_ms = excluded.next_at_ms, failure = excluded.failure`,
  );
  const remove = db.prepare('DELETE FROM pins WHERE keeper = ? AND start = ?');
  const waiting = "FROM pins WHERE keeper = ?1 AND state <> 'pinned'";
  const progress = db.prepare(
    `SELECT (SELECT count(*) ${waiting}) + (SELECT count(*) FROM blocks WHERE ${after}) AS waiting,
       coalesce((SELECT min(start) ${waiting}), (SELECT min(start) FROM blocks WHERE ${after}),
         (SELECT max(size) FROM blocks), 0) AS pinned_size`,
  );

  return {
    listDue: ({ keeper, nowMs, limit }) => due.all(keeper, nowMs, limit).map(pinOf),
    listNew: (keeper, limit) => fresh.all(keeper, limit).map(pinOf),
    list: (keeper, limit) => listed.all(keeper, limit).map(pinOf),
    put({ keeper, start, state, requestId = null, attempts, nextAtMs, failure }) {
      put.run(keeper, start, state, requestId, attempts, nextAtMs, failure?.slice(0, maxFailureCharacters) ?? null);
    },
    remove: (keeper, start) => void remove.run(keeper, start),
    progress(keeper) {
      const row = progress.get(keeper) ?? {};
      return { keeper, waiting: numberOf(row, 'waiting'), pinnedSize: numberOf(row, 'pinned_size') };
    },
  };
}

function pinOf(row: Row): BlockPin {
  return {
    start: numberOf(row, 'start'),
    size: numberOf(row, 'size'),
    cid: textOf(row, 'cid'),
    state: textOf(row, 'state') as PinState,
    requestId: row['request_id'] === null ? null : textOf(row, 'request_id'),
    attempts: numberOf(row, 'attempts'),
    nextAtMs: numberOf(row, 'next_at_ms'),
  };
}
