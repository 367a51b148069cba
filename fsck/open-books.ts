import { existsSync } from 'node:fs';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

/** The schema that this checker can read (PRAGMA user_version). */
const knownVersion = 9;

/** One row, read by column and type; anything else than what the schema says is an error. */
export class Row {
  readonly #values: Record<string, SQLOutputValue>;

  constructor(values: Record<string, SQLOutputValue>) {
    this.#values = values;
  }

  #fail(column: string): never {
    throw new AutoPayError('invalid_encoding', `The ledger's column ${column} does not hold what its schema says.`);
  }

  isNull(column: string): boolean {
    return this.#values[column] === null;
  }

  bytes(column: string): Uint8Array {
    const value = this.#values[column];
    return value instanceof Uint8Array ? value : this.#fail(column);
  }

  hex(column: string): Hex {
    return toHex(this.bytes(column));
  }

  hexOrNull(column: string): Hex | null {
    return this.isNull(column) ? null : this.hex(column);
  }

  number(column: string): number {
    const value = this.#values[column];
    return typeof value === 'number' ? value : this.#fail(column);
  }

  text(column: string): string {
    const value = this.#values[column];
    return typeof value === 'string' ? value : this.#fail(column);
  }

  /** An amount: 16 bytes, big-endian. */
  amount(column: string): bigint {
    const bytes = this.bytes(column);
    return bytes.length === 16 ? BigInt(toHex(bytes)) : this.#fail(column);
  }
}

/** What belongs to one chain. The log, the budgets and the answers are of all. */
const tablesOfChains = [
  ...['channels', 'direct_payments', 'calls', 'charges', 'receipt_batches', 'collections', 'transactions'],
  ...['projects', 'api_keys', 'key_channels', 'scope_spending', 'anchors', 'chains'],
];

/** The ledger file, read as it was at one moment. */
export interface Books {
  /** Rows of a query, one at a time. */
  rows(sql: string): Iterable<Row>;
  close(): void;
}

/**
 * Opens a ledger for reading only, at one moment of its life: a relay may go on writing meanwhile.
 * @param chainId if given, tables that are of chains show what is of this one only
 * @throws AutoPayError `not_found` if there is none, `invalid_encoding` if its schema is of another version.
 */
export function openBooks(file: string, chainId?: number): Books {
  if (!existsSync(file)) {
    throw new AutoPayError('not_found', `There is no ledger at ${file}. Give the relay's data folder with --data-dir.`);
  }
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    db.exec('BEGIN');
    const version = db.prepare('PRAGMA user_version').get()?.['user_version'];
    if (version !== knownVersion) {
      throw new AutoPayError(
        'invalid_encoding',
        `The ledger has schema version ${String(version)}; this checker knows ${knownVersion}.`,
      );
    }
    // A temporary view stands before the table of its name: so what checks one chain reads nothing of another.
    for (const table of chainId === undefined ? [] : tablesOfChains) {
      db.exec(`CREATE TEMP VIEW ${table} AS SELECT * FROM main.${table} WHERE chain_id = ${chainId}`);
    }
  } catch (error) {
    db.close();
    throw error;
  }
  return {
    *rows(sql) {
      for (const values of db.prepare(sql).iterate()) yield new Row(values);
    },
    close: () => db.close(),
  };
}
