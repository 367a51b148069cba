import type { DatabaseSync } from 'node:sqlite';
import { fromHex } from '../../protocol/bytes/hex.ts';
import type { QueuedTransaction, TransactionStatus } from './background-ledger.ts';
import { hexOf, numberOf, textOf, type Row } from './rows.ts';

/** Reads and writes the rows of `transactions`: the queue of the relay's account. */
export interface TransactionStore {
  find(id: number): QueuedTransaction | undefined;
  /** The newest transaction with this purpose. */
  findByPurpose(purpose: string): QueuedTransaction | undefined;
  /** Transactions without an outcome, by nonce. */
  listUnfinished(limit: number): QueuedTransaction[];
  /** One above the highest nonce; undefined if the queue has never held any. */
  nextNonce(): number | undefined;
  insert(transaction: Omit<QueuedTransaction, 'id' | 'status'>): void;
  setStatus(id: number, status: TransactionStatus): void;
}

function transactionOf(row: Row): QueuedTransaction {
  return {
    id: numberOf(row, 'transaction_id'),
    purpose: textOf(row, 'purpose'),
    nonce: numberOf(row, 'nonce'),
    hash: hexOf(row, 'hash'),
    raw: hexOf(row, 'raw'),
    status: textOf(row, 'status') as TransactionStatus,
  };
}

/** Prepares the statements once. */
export function createTransactionStore(db: DatabaseSync): TransactionStore {
  const select = db.prepare('SELECT * FROM transactions WHERE transaction_id = ?');
  const selectByPurpose = db.prepare(
    `SELECT * FROM transactions WHERE purpose = ? ORDER BY status = 'reverted', nonce DESC LIMIT 1`,
  );
  const selectUnfinished = db.prepare(`SELECT * FROM transactions WHERE status = 'signed' ORDER BY nonce LIMIT ?`);
  const nextNonce = db.prepare('SELECT max(nonce) + 1 AS next FROM transactions');
  const insert = db.prepare(
    `INSERT INTO transactions (purpose, nonce, hash, raw, status) VALUES (?, ?, ?, ?, 'signed')`,
  );
  const setStatus = db.prepare('UPDATE transactions SET status = ? WHERE transaction_id = ?');

  function one(row: Row | undefined): QueuedTransaction | undefined {
    return row === undefined ? undefined : transactionOf(row);
  }

  return {
    find: (id) => one(select.get(id)),
    findByPurpose: (purpose) => one(selectByPurpose.get(purpose)),
    listUnfinished: (limit) => selectUnfinished.all(limit).map(transactionOf),
    nextNonce() {
      const row = nextNonce.get() ?? {};
      return row['next'] === null ? undefined : numberOf(row, 'next');
    },
    insert({ purpose, nonce, hash, raw }) {
      insert.run(purpose, nonce, fromHex(hash, 32), fromHex(raw));
    },
    setStatus(id, status) {
      setStatus.run(status, id);
    },
  };
}
