import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fromHex, toHex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { TypedDataScope } from '../../protocol/typed-data/domain-separator.ts';
import { migrate } from './migrations/migrate.ts';
import { createSharedStores, createStores, type Stores } from './operations/create-operations.ts';
import { createSweepReservations, maxSweep } from './operations/sweep-reservations.ts';
import type { RowCaches } from './row-cache.ts';
import { bytesOf, numberOf } from './rows.ts';

/** The books are of one home chain for ever: its budgets and anchors are theirs. */
function claimHome(db: DatabaseSync, scope: TypedDataScope): void {
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

/** Receipts and channels are worth something on their chain and for one AutoPayLLM there only. */
function claimChain(db: DatabaseSync, { chainId, verifyingContract }: TypedDataScope): void {
  const claimed = db.prepare('SELECT verifying_contract FROM chains WHERE chain_id = ?').get(chainId);
  if (claimed === undefined) {
    const contract = fromHex(verifyingContract, 20);
    db.prepare('INSERT INTO chains (chain_id, verifying_contract) VALUES (?, ?)').run(chainId, contract);
    return;
  }
  const contract = toHex(bytesOf(claimed, 'verifying_contract'));
  if (contract === verifyingContract.toLowerCase()) return;
  throw new AutoPayError(
    'invalid_configuration',
    `On chain ${chainId} this ledger belongs to AutoPayLLM ${contract}. Use another data folder for another deployment.`,
  );
}

/** The books of one chain, and whose receipts they hold. */
export interface BooksOfChain {
  scope: TypedDataScope;
  stores: Stores;
}

/** An open ledger file. */
export interface Books {
  db: DatabaseSync;
  caches: RowCaches;
  /** The home chain first. */
  chains: readonly [BooksOfChain, ...BooksOfChain[]];
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
export function openBooks(options: { file: string; receiptScopes: readonly TypedDataScope[] }): Books {
  const [home, ...others] = options.receiptScopes;
  if (home === undefined) throw new AutoPayError('internal_error', 'A ledger needs a home chain.');
  closeSync(openSync(options.file, 'a', 0o600));
  const db = new DatabaseSync(options.file);
  try {
    db.exec('PRAGMA journal_mode = WAL');
    db.exec('PRAGMA synchronous = FULL');
    db.exec('PRAGMA foreign_keys = ON');
    db.exec('PRAGMA busy_timeout = 5000');
    db.exec('PRAGMA journal_size_limit = 67108864');
    migrate(db);
    claimHome(db, home);
    const shared = createSharedStores(db);
    const openChain = (scope: TypedDataScope): BooksOfChain => {
      claimChain(db, scope);
      const stores = createStores(db, { chainId: scope.chainId, isHome: scope === home, shared });
      releaseLeftOvers(db, stores);
      if (scope === home) stores.purchases.forsakeOpen();
      return { scope, stores };
    };
    return { db, caches: shared.caches, chains: [openChain(home), ...others.map(openChain)] };
  } catch (error) {
    db.close();
    throw error;
  }
}
