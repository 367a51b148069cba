import type { DatabaseSync } from 'node:sqlite';
import { fromHex } from '../../protocol/bytes/hex.ts';
import { encodeAmount } from './amount-blob.ts';
import type { BudgetChange } from './background-ledger.ts';
import { amountOf, hexOf, numberOf, textOf, type Row } from './rows.ts';

/** Where an event is on the chain. */
export type ChangePlace = Pick<BudgetChange, 'block' | 'logIndex'>;

/** Reads and writes the rows of `budget_changes`. */
export interface BudgetChangeStore {
  /** In the order of the chain, after a place, at most `limit`. */
  list(after: ChangePlace | undefined, limit: number): BudgetChange[];
  /** Deletes what blocks `from` to `to` said, and inserts `changes`. */
  replace(range: { from: number; to: number; changes: readonly BudgetChange[] }): void;
}

function changeOf(row: Row): BudgetChange {
  return {
    block: numberOf(row, 'block'),
    logIndex: numberOf(row, 'log_index'),
    kind: textOf(row, 'kind') as BudgetChange['kind'],
    subject: hexOf(row, 'subject'),
    fromDay: numberOf(row, 'from_day'),
    value: row['value'] === null ? null : amountOf(row, 'value'),
  };
}

/** Prepares the statements once. */
export function createBudgetChangeStore(db: DatabaseSync): BudgetChangeStore {
  const select = db.prepare(
    'SELECT * FROM budget_changes WHERE (block, log_index) > (?, ?) ORDER BY block, log_index LIMIT ?',
  );
  const remove = db.prepare('DELETE FROM budget_changes WHERE block BETWEEN ? AND ?');
  const insert = db.prepare(
    'INSERT INTO budget_changes (block, log_index, kind, subject, from_day, value) VALUES (?, ?, ?, ?, ?, ?)',
  );
  return {
    list: (after = { block: -1, logIndex: 0 }, limit) => select.all(after.block, after.logIndex, limit).map(changeOf),
    replace({ from, to, changes }) {
      remove.run(from, to);
      for (const { block, logIndex, kind, subject, fromDay, value } of changes) {
        insert.run(block, logIndex, kind, fromHex(subject), fromDay, value === null ? null : encodeAmount(value));
      }
    },
  };
}
