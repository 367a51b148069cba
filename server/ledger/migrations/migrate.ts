import { DatabaseSync } from 'node:sqlite';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { books } from './0001-books.ts';
import { keys } from './0002-keys.ts';
import { carriedPayments } from './0003-carried-payments.ts';
import { chains } from './0004-chains.ts';
import { purchases } from './0005-purchases.ts';
import { webhooks } from './0006-webhooks.ts';
import { audit } from './0007-audit.ts';
import { upkeep } from './0008-upkeep.ts';
import { attempts } from './0009-attempts.ts';

/** Every migration, in order. Append only: number n brings a file from `user_version` n − 1 to n. */
export const migrations: readonly string[] = [
  ...[books, keys, carriedPayments, chains, purchases, webhooks, audit, upkeep],
  attempts,
];

/**
 * Brings a ledger file to the newest schema, each step in a transaction of its own.
 * @throws AutoPayError `invalid_configuration` if the file is of a newer version, or its tables are not those of its version
 * (an unreleased build wrote it): it is left untouched.
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
  requireSchema(db, steps.slice(0, version));
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

/** A migration that is still being worked on has no number of its own; what an earlier state of it made is refused here. */
function requireSchema(db: DatabaseSync, steps: readonly string[]): void {
  const fresh = new DatabaseSync(':memory:');
  try {
    for (const sql of steps) fresh.exec(sql);
    const [actual, expected] = [readSchema(db), readSchema(fresh)];
    const names = [...new Set([...actual.keys(), ...expected.keys()])];
    const differing = names.filter((name) => actual.get(name) !== expected.get(name)).sort();
    if (differing.length === 0) return;
    throw new AutoPayError(
      'invalid_configuration',
      `The ledger has schema version ${steps.length}, but was written by another build of this relay (${differing.join(', ')} ` +
        'differ). Let the build that wrote it collect what is owed, or give that up; then delete or move the data folder.',
    );
  } finally {
    fresh.close();
  }
}

/** What makes each table and index, without comments and layout. */
function readSchema(db: DatabaseSync): Map<string, string> {
  const rows = db
    .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
    .all();
  const normalize = (sql: string) =>
    sql
      .replaceAll(/--.*/g, '')
      .replaceAll(/\s+/g, ' ')
      .replaceAll(/ ?([(),]) ?/g, '$1');
  return new Map(rows.map(({ name, sql }) => [String(name), normalize(String(sql))]));
}
