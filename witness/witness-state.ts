import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

/** A checkpoint that the witness cosigned. */
export interface CosignedCheckpoint {
  size: number;
  /** 32 bytes. */
  root: Uint8Array;
  /** The signed note: the log's signatures, and the cosignature. */
  note: string;
}

/** What a witness has cosigned of each log. All of it is synchronous, so nothing comes between a question and what follows from it. */
export interface WitnessState {
  /** The largest checkpoint that was cosigned; undefined before the first. */
  latest(origin: string): CosignedCheckpoint | undefined;
  /** The one of this size, if it was cosigned; the oldest are forgotten. */
  at(origin: string, size: number): CosignedCheckpoint | undefined;
  /**
   * Records a checkpoint, if the largest is (still) of `oldSize`. When this returns true it MUST survive a loss of power: the
   * cosignature may leave then, and never before.
   * @returns false if another process or request was faster; nothing is changed then
   */
  advance(origin: string, step: { oldSize: number; checkpoint: CosignedCheckpoint }): boolean;
  close(): void;
}

/** How many checkpoints are remembered of each log, to know a fork by. */
const remembered = 10_000;

/** Of the file; a witness that meets another one stops. */
const schemaVersion = 1;

const schema = `
CREATE TABLE cosigned (
  origin TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size >= 0),
  root BLOB NOT NULL CHECK (length(root) = 32),
  note TEXT NOT NULL,
  PRIMARY KEY (origin, size)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = ${schemaVersion};`;

/**
 * Opens the state in `<folder>/witness.sqlite`; several processes may share it. Warning: it MUST NOT be restored from a copy. A witness
 * that has forgotten what it cosigned makes a new key.
 *
 * @throws AutoPayError `invalid_configuration` if another version of the program wrote the file
 */
export function openWitnessState(folder: string): WitnessState {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(join(folder, 'witness.sqlite'), { timeout: 5_000 });
  try {
    prepareFile(db);
  } catch (error) {
    db.close();
    throw error;
  }
  const latest = db.prepare('SELECT * FROM cosigned WHERE origin = ? ORDER BY size DESC LIMIT 1');
  const at = db.prepare('SELECT * FROM cosigned WHERE origin = ? AND size = ?');
  const put = db.prepare(
    'INSERT INTO cosigned (origin, size, root, note) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET note = excluded.note',
  );
  const forget = db.prepare(
    `DELETE FROM cosigned WHERE origin = ?1
     AND size < (SELECT size FROM cosigned WHERE origin = ?1 ORDER BY size DESC LIMIT 1 OFFSET ${remembered - 1})`,
  );
  const readLatest = (origin: string) => checkpointOf(latest.get(origin));
  return {
    latest: readLatest,
    at: (origin, size) => checkpointOf(at.get(origin, size)),
    advance(origin, { oldSize, checkpoint: { size, root, note } }) {
      db.exec('BEGIN IMMEDIATE');
      try {
        const isNext = (readLatest(origin)?.size ?? 0) === oldSize;
        if (isNext) {
          put.run(origin, size, root, note);
          forget.run(origin);
        }
        db.exec('COMMIT');
        return isNext;
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK');
        throw error;
      }
    },
    close: () => db.close(),
  };
}

function prepareFile(db: DatabaseSync): void {
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  db.exec('BEGIN IMMEDIATE');
  const version = db.prepare('PRAGMA user_version').get()?.['user_version'];
  if (version === 0) db.exec(schema);
  db.exec('COMMIT');
  if (version === 0 || version === schemaVersion) return;
  const message = `witness.sqlite is of version ${String(version)}, and this program knows ${schemaVersion}. Use the program that wrote it.`;
  throw new AutoPayError('invalid_configuration', message);
}

function checkpointOf(row: Record<string, unknown> | undefined): CosignedCheckpoint | undefined {
  if (row === undefined) return undefined;
  const { size, root, note } = row;
  return { size: Number(size), root: root as Uint8Array, note: String(note) };
}
