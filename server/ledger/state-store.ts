import type { DatabaseSync } from 'node:sqlite';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { textOf } from './rows.ts';

/** The longest key of a state value, in UTF-16 code units. */
export const maxStateKeyLength = 256;
/** The longest state value, in UTF-16 code units. */
export const maxStateValueLength = 65_536;

/** Reads and writes the rows of `state`: small durable values of the background workers. */
export interface StateStore {
  get(key: string): string | undefined;
  /** @throws AutoPayError `internal_error` if key or value is too long. */
  set(key: string, value: string): void;
}

/**
 * Prepares the statements once.
 * @param prefix keeps the values of one chain apart from those of the others
 */
export function createStateStore(db: DatabaseSync, prefix = ''): StateStore {
  const select = db.prepare('SELECT value FROM state WHERE key = ?');
  const upsert = db.prepare(
    'INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  );
  return {
    get(key) {
      const row = select.get(prefix + key);
      return row === undefined ? undefined : textOf(row, 'value');
    },
    set(key, value) {
      if (prefix.length + key.length > maxStateKeyLength || value.length > maxStateValueLength) {
        throw new AutoPayError('internal_error', `The state value ${key.slice(0, 80)} is too long. Keep it elsewhere.`);
      }
      upsert.run(prefix + key, value);
    },
  };
}
