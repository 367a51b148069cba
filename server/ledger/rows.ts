import type { SQLOutputValue } from 'node:sqlite';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { decodeAmount } from './amount-blob.ts';

/** A row as node:sqlite returns it. */
export type Row = Record<string, SQLOutputValue>;

function unexpected(column: string): AutoPayError {
  return new AutoPayError('internal_error', `The ledger's column ${column} does not hold what its schema says.`);
}

/** A BLOB column. */
export function bytesOf(row: Row, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw unexpected(column);
  return value;
}

/** An INTEGER column. */
export function numberOf(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw unexpected(column);
  return value;
}

/** A TEXT column. */
export function textOf(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw unexpected(column);
  return value;
}

/** A BLOB column as 0x-hex. */
export function hexOf(row: Row, column: string): Hex {
  return toHex(bytesOf(row, column));
}

/** A BLOB column that holds an amount. */
export function amountOf(row: Row, column: string): bigint {
  return decodeAmount(bytesOf(row, column));
}
