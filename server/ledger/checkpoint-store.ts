import type { DatabaseSync } from 'node:sqlite';
import type { StoredCheckpoint } from './background-ledger.ts';
import { bytesOf, numberOf, textOf, type Row } from './rows.ts';

/** How many checkpoints are kept: of a busy relay those of more than an hour. */
export const keptCheckpoints = 1_000;

/** Reads and writes the rows of `checkpoints`. */
export interface CheckpointStore {
  /** The largest one; undefined before the first. */
  newest(): StoredCheckpoint | undefined;
  /** Stores one, in the place of that with its size, and forgets the smallest beyond `keptCheckpoints`. */
  put(checkpoint: StoredCheckpoint): void;
}

function checkpointOf(row: Row): StoredCheckpoint {
  return {
    ...{ size: numberOf(row, 'size'), root: bytesOf(row, 'root') },
    ...{ signedAtMs: numberOf(row, 'signed_at_ms'), note: textOf(row, 'note') },
  };
}

/** Prepares the statements once. */
export function createCheckpointStore(db: DatabaseSync): CheckpointStore {
  const newest = db.prepare('SELECT * FROM checkpoints ORDER BY size DESC LIMIT 1');
  const upsert = db.prepare(
    `INSERT INTO checkpoints (size, root, signed_at_ms, note) VALUES (?, ?, ?, ?)
     ON CONFLICT (size) DO UPDATE SET root = excluded.root, signed_at_ms = excluded.signed_at_ms, note = excluded.note`,
  );
  const forget = db.prepare(
    `DELETE FROM checkpoints WHERE size < (SELECT size FROM checkpoints ORDER BY size DESC LIMIT 1 OFFSET ${keptCheckpoints - 1})`,
  );
  return {
    newest() {
      const row = newest.get();
      return row === undefined ? undefined : checkpointOf(row);
    },
    put({ size, root, signedAtMs, note }) {
      upsert.run(size, root, signedAtMs, note);
      forget.run();
    },
  };
}
