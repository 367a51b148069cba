import type { DatabaseSync } from 'node:sqlite';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { books } from './0001-books.ts';

/** Every migration, in order. Append only: number n brings a file from `user_version` n − 1 to n. */
export const migrations: readonly string[] = [books];

/**
 * Brings a ledger file to the newest schema, each step in a transaction of its own.
 * @throws AutoPayError `invalid_configuration` if the file is of a newer version: it is left untouched.
 */
export function migrate(db: DatabaseSync, steps: readonly string[] = migrations): void {
  const row = db.prepare('PRAGMA user_version').get();
  const version = Number(row?.['user_version']);
  if (version > steps.length) {
    throw new AutoPayError(
      'invalid_configuration',
      `The ledger has schema version ${version}; this relay knows up to ${steps.length}. Run the relay that wrote it, or a newer one.`,
    );
  }
  for (const [index, sql] of steps.entries()) {
    if (index < version) continue;
    db.exec('BEGIN IMMEDIATE');
    try {
      db.exec(sql);
      db.exec(`PRAGMA user_version = ${index + 1}`);
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
}
