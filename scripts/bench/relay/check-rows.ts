import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { figure, type Figure } from '../report.ts';

/** Rows = answers: every answered call has one charge in the ledger, and no reservation is left. */
export function checkRows(name: string, { dataDir, answers }: { dataDir: string; answers: number }): Figure[] {
  const database = new DatabaseSync(join(dataDir, 'ledger.sqlite'), { readOnly: true });
  const count = (from: string) => Number(database.prepare(`SELECT count(*) AS count FROM ${from}`).get()?.['count']);
  const charges = count('charges');
  const reserved = count("calls WHERE state = 'reserved'");
  database.close();
  return [
    figure(`${name}: charges missing or too many`, Math.abs(charges - answers), 'rows', { atMost: 0 }),
    figure(`${name}: reservations left`, reserved, 'rows', { atMost: 0 }),
  ];
}
