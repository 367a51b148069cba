import type { DatabaseSync } from 'node:sqlite';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import type { NewTransaction, QueuedTransaction, TransactionAttempt, TransactionStatus } from './background-ledger.ts';
import { hexOf, numberOf, textOf, type Row } from './rows.ts';

/** Reads and writes the rows of `transactions` and `transaction_attempts`: the queues of the relay's accounts on one chain. */
export interface TransactionStore {
  find(id: number): QueuedTransaction | undefined;
  /** The newest transaction with this purpose; one that did not revert, if there is one. */
  findByPurpose(purpose: string): QueuedTransaction | undefined;
  /** The transaction with this nonce that did not revert. */
  findByNonce(account: Hex, nonce: number): QueuedTransaction | undefined;
  /** Transactions without an outcome, by nonce. */
  listUnfinished(account: Hex, limit: number): QueuedTransaction[];
  /** One above the highest nonce; undefined if the account's queue has never held any. */
  nextNonce(account: Hex): number | undefined;
  insert(transaction: NewTransaction): void;
  addAttempt(id: number, number: number, attempt: TransactionAttempt): void;
  setStatus(id: number, status: TransactionStatus): void;
}

function attemptOf(row: Row): TransactionAttempt {
  return { hash: hexOf(row, 'hash'), raw: hexOf(row, 'raw'), signedAtMs: numberOf(row, 'signed_at_ms') };
}

/** Prepares the statements once. */
export function createTransactionStore(db: DatabaseSync, chainId: number): TransactionStore {
  const here = `chain_id = ${chainId}`;
  const select = db.prepare(`SELECT * FROM transactions WHERE transaction_id = ? AND ${here}`);
  const selectByPurpose = db.prepare(
    `SELECT * FROM transactions WHERE ${here} AND purpose = ? ORDER BY status = 'reverted', transaction_id DESC LIMIT 1`,
  );
  const selectByNonce = db.prepare(
    `SELECT * FROM transactions WHERE ${here} AND account = ? AND nonce = ? AND status <> 'reverted'`,
  );
  const selectUnfinished = db.prepare(
    `SELECT * FROM transactions WHERE ${here} AND account = ? AND status = 'signed' ORDER BY nonce LIMIT ?`,
  );
  const selectAttempts = db.prepare('SELECT * FROM transaction_attempts WHERE transaction_id = ? ORDER BY number');
  const nextNonce = db.prepare(`SELECT max(nonce) + 1 AS next FROM transactions WHERE ${here} AND account = ?`);
  const insert = db.prepare(
    `INSERT INTO transactions (chain_id, purpose, account, nonce, status) VALUES (${chainId}, ?, ?, ?, 'signed')`,
  );
  const insertAttempt = db.prepare(
    'INSERT INTO transaction_attempts (transaction_id, number, hash, raw, signed_at_ms) VALUES (?, ?, ?, ?, ?)',
  );
  const setStatus = db.prepare('UPDATE transactions SET status = ? WHERE transaction_id = ?');

  function transactionOf(row: Row): QueuedTransaction {
    const id = numberOf(row, 'transaction_id');
    return {
      id,
      purpose: textOf(row, 'purpose'),
      account: hexOf(row, 'account'),
      nonce: numberOf(row, 'nonce'),
      attempts: selectAttempts.all(id).map(attemptOf),
      status: textOf(row, 'status') as TransactionStatus,
    };
  }

  function one(row: Row | undefined): QueuedTransaction | undefined {
    return row === undefined ? undefined : transactionOf(row);
  }

  function addAttempt(id: number, number: number, { hash, raw, signedAtMs }: TransactionAttempt): void {
    insertAttempt.run(id, number, fromHex(hash, 32), fromHex(raw), signedAtMs);
  }

  return {
    find: (id) => one(select.get(id)),
    findByPurpose: (purpose) => one(selectByPurpose.get(purpose)),
    findByNonce: (account, nonce) => one(selectByNonce.get(fromHex(account, 20), nonce)),
    listUnfinished: (account, limit) => selectUnfinished.all(fromHex(account, 20), limit).map(transactionOf),
    nextNonce(account) {
      const row = nextNonce.get(fromHex(account, 20)) ?? {};
      return row['next'] === null ? undefined : numberOf(row, 'next');
    },
    insert({ purpose, account, nonce, attempt }) {
      const { lastInsertRowid } = insert.run(purpose, fromHex(account, 20), nonce);
      addAttempt(Number(lastInsertRowid), 0, attempt);
    },
    addAttempt,
    setStatus(id, status) {
      setStatus.run(status, id);
    },
  };
}
