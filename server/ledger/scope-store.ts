import type { DatabaseSync } from 'node:sqlite';
import { fromHex } from '../../protocol/bytes/hex.ts';
import { encodeAmount } from './amount-blob.ts';
import type { ScopeWindow } from './background-ledger.ts';
import { amountOf } from './rows.ts';

/** Reads and writes the rows of `scope_spending` that are of one chain. */
export interface ScopeStore {
  /** A window without spending has no row, and is all zero. */
  get(place: Pick<ScopeWindow, 'id' | 'window' | 'token'>): ScopeWindow;
  /** @throws AutoPayError `internal_error` if a sum leaves 0 … 2^128 − 1. */
  put(scope: ScopeWindow): void;
}

/** Prepares the statements once. */
export function createScopeStore(db: DatabaseSync, chainId: number): ScopeStore {
  const select = db.prepare(
    `SELECT charged, reserved FROM scope_spending WHERE scope = ? AND window = ? AND chain_id = ${chainId} AND token = ?`,
  );
  const upsert = db.prepare(
    `INSERT INTO scope_spending (chain_id, scope, window, token, charged, reserved) VALUES (${chainId}, ?, ?, ?, ?, ?)
     ON CONFLICT (scope, window, chain_id, token) DO UPDATE SET charged = excluded.charged, reserved = excluded.reserved`,
  );
  return {
    get({ id, window, token }) {
      const row = select.get(id, window, fromHex(token, 20));
      const [charged, reserved] = row === undefined ? [0n, 0n] : [amountOf(row, 'charged'), amountOf(row, 'reserved')];
      return { id, window, token, charged, reserved };
    },
    put({ id, window, token, charged, reserved }) {
      upsert.run(id, window, fromHex(token, 20), encodeAmount(charged), encodeAmount(reserved));
    },
  };
}
