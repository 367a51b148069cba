import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { decodeAmount } from '../../server/ledger/amount-blob.ts';

/** What a ledger's file says. */
export interface ReadBooks {
  charges: number;
  /** Of all charges, atomic units, whatever their token. */
  sum: bigint;
  /** Calls that still hold money. */
  open: number;
}

/** Reads the books of a relay, which may be running. */
export function readBooks(dataDir: string): ReadBooks {
  const amounts = ask(dataDir, 'SELECT amount FROM charges') as { amount: Uint8Array }[];
  const [open] = ask(dataDir, "SELECT count(*) AS count FROM calls WHERE state = 'reserved'");
  const sum = amounts.reduce((total, { amount }) => total + decodeAmount(amount), 0n);
  return { charges: amounts.length, sum, open: Number(open?.['count']) };
}

/** How many payments for single calls wait for their settlement. */
export function countDue(dataDir: string): number {
  const [due] = ask(dataDir, "SELECT count(*) AS count FROM direct_payments WHERE state = 'due'");
  return Number(due?.['count']);
}

function ask(dataDir: string, sql: string): Record<string, unknown>[] {
  const database = new DatabaseSync(join(dataDir, 'ledger.sqlite'), { readOnly: true });
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}
