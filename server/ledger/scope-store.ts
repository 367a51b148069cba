import type { DatabaseSync } from 'node:sqlite';
import { fromHex } from '../../protocol/bytes/hex.ts';
import { encodeAmount } from './amount-blob.ts';
import type { ScopeWindow } from './background-ledger.ts';
import type { RowCaches } from './row-cache.ts';
import { amountOf } from './rows.ts';

/** Reads and writes the rows of `scope_spending` that are of one chain. */
export interface ScopeStore {
  /** A window without spending has no row, and is all zero. */
  get(place: Pick<ScopeWindow, 'id' | 'window' | 'token'>): ScopeWindow;
  /** @throws AutoPayError `internal_error` if a sum leaves 0 … 2^128 − 1. */
  put(scope: ScopeWindow): void;
}

/** Prepares the statements once. */
export function createScopeStore(db: DatabaseSync, chainId: number, caches: RowCaches): ScopeStore {
  const select = db.prepare(
    `SELECT charged, reserved FROM scope_spending WHERE scope = ? AND window = ? AND chain_id = ${chainId} AND token = ?`,
  );
  const upsert = db.prepare(
    `INSERT INTO scope_spending (chain_id, scope, window, token, charged, reserved) VALUES (${chainId}, ?, ?, ?, ?, ?)
     ON CONFLICT (scope, window, chain_id, token) DO UPDATE SET charged = excluded.charged, reserved = excluded.reserved`,
  );
  const rows = caches.create<ScopeWindow>(({ id, window, token, charged, reserved }) =>
    upsert.run(id, window, fromHex(token, 20), encodeAmount(charged), encodeAmount(reserved)),
  );
  const keyOf = ({ id, window, token }: Pick<ScopeWindow, 'id' | 'window' | 'token'>) =>
    `${token.toLowerCase()} ${window} ${id}`;

  return {
    get(place) {
      const { id, window, token } = place;
      const known = rows.get(keyOf(place), () => {
        const row = select.get(id, window, fromHex(token, 20));
        if (row === undefined) return undefined;
        return { id, window, token, charged: amountOf(row, 'charged'), reserved: amountOf(row, 'reserved') };
      });
      return known ?? { id, window, token, charged: 0n, reserved: 0n };
    },
    put: (scope) => rows.put(keyOf(scope), scope),
  };
}
