import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fromHex, toHex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { TypedDataScope } from '../../protocol/typed-data/domain-separator.ts';
import { migrate } from './migrations/migrate.ts';
import { createStores, type Stores } from './operations/create-operations.ts';
import { createSweepReservations, maxSweep } from './operations/sweep-reservations.ts';
import { bytesOf, numberOf } from './rows.ts';

/** Receipts and channels are worth something on one chain and for one AutoPayLLM only. */
function claimScope(db: DatabaseSync, scope: TypedDataScope): void {
  const row = db.prepare('SELECT chain_id, verifying_contract FROM scope').get();
  if (row === undefined) {
    db.prepare('INSERT INTO scope (id, chain_id, verifying_contract) VALUES (1, ?, ?)').run(
      scope.chainId,
      fromHex(scope.verifyingContract, 20),
    );
    return;
  }
  const chainId = numberOf(row, 'chain_id');
  const contract = toHex(bytesOf(row, 'verifying_contract'));
  if (chainId !== scope.chainId || contract !== scope.verifyingContract.toLowerCase()) {
    throw new AutoPayError(
      'invalid_configuration',
      `This ledger belongs to AutoPayLLM ${contract} on chain ${chainId}. Use another data folder for another deployment.`,
    );
  }
}

/** Whoever held these reservations is dead: there is one writer, and it has just started. */
function releaseLeftOvers(db: DatabaseSync, stores: Stores): void {
  const sweep = createSweepReservations(stores);
  let freed: number;
  do {
    db.exec('BEGIN IMMEDIATE');
    freed = sweep({ leaseBeforeMs: Number.MAX_SAFE_INTEGER, nowMs: Date.now() });
    db.exec('COMMIT');
  } while (freed === maxSweep);
}

/**
 * Opens the ledger file in this thread, which MUST be its only writer: migrates it, and releases every reservation that a
 * dead process left, as `crashed`. The file is readable by its owner only (it holds the payers' salts).
 * @throws AutoPayError `invalid_configuration` for a newer schema or another deployment's ledger.
 */
export function openBooks(options: { file: string; receiptScope: TypedDataScope }): {
  db: DatabaseSync;
  stores: Stores;
} {
  closeSync(openSync(options.file, 'a', 0o600));
  const db = new DatabaseSync(options.file);
  try {
    db.exec('PRAGMA journal_mode = WAL');
    db.exec('PRAGMA synchronous = FULL');
    db.exec('PRAGMA foreign_keys = ON');
    db.exec('PRAGMA busy_timeout = 5000');
    db.exec('PRAGMA journal_size_limit = 67108864');
    migrate(db);
    claimScope(db, options.receiptScope);
    const stores = createStores(db);
    releaseLeftOvers(db, stores);
    return { db, stores };
  } catch (error) {
    db.close();
    throw error;
  }
}
