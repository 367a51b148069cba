import type { DatabaseSync } from 'node:sqlite';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { formatCallId } from '../../protocol/receipt/call-id.ts';
import type { PendingBooking, RefundSum } from './background-ledger.ts';
import { sumBySpend } from './collected-charges.ts';
import { amountOf, bytesOf, hexOf, type Row } from './rows.ts';

/** Which settled payments are booked together: their rows of `direct_payments` name the collection. */
export interface PaymentBookingStore {
  /** The token of the oldest settled payment that no collection has; undefined if there is none. */
  nextToken(): Hex | undefined;
  /** Puts a token's oldest settled payments that no collection has into one, at most `limit`. */
  assign(collectionId: number, token: Hex, limit: number): void;
  /** What the payments of a collection were for, and what of them goes back. */
  sum(collectionId: number): Pick<PendingBooking, 'spends' | 'refunds' | 'logSize'>;
}

function sumRefunds(rows: readonly Row[]): RefundSum[] {
  const sums = new Map<Hex, RefundSum>();
  for (const row of rows) {
    const amount = amountOf(row, 'captured') - amountOf(row, 'amount');
    if (amount === 0n) continue;
    const to = hexOf(row, 'payer');
    const before = sums.get(to);
    if (before === undefined) sums.set(to, { callId: formatCallId(bytesOf(row, 'call_id')), to, amount });
    else before.amount += amount;
  }
  return [...sums.values()];
}

/** As the index `direct_payments_unbooked` says it, or SQLite would not use that. */
const unbooked = `transaction_hash IS NOT NULL AND collection_id IS NULL AND kind <> 'allowance'`;

/** Prepares the statements once. */
export function createPaymentBookingStore(db: DatabaseSync, chainId: number): PaymentBookingStore {
  const waiting = `${unbooked} AND chain_id = ${chainId}`;
  const selectToken = db.prepare(`SELECT token FROM direct_payments WHERE ${waiting} ORDER BY charged_at_ms LIMIT 1`);
  const assign = db.prepare(
    `UPDATE direct_payments SET collection_id = ? WHERE payment_id IN (
       SELECT payment_id FROM direct_payments WHERE ${waiting} AND token = ? ORDER BY charged_at_ms LIMIT ?)`,
  );
  const select = db.prepare(
    `SELECT c.log_index, c.call_id, c.day, c.model, c.provider, c.amount, p.payer, p.captured
     FROM direct_payments p JOIN charges c USING (call_id) WHERE p.collection_id = ? ORDER BY c.log_index`,
  );
  return {
    nextToken() {
      const row = selectToken.get();
      return row === undefined ? undefined : hexOf(row, 'token');
    },
    assign(collectionId, token, limit) {
      assign.run(collectionId, fromHex(token, 20), limit);
    },
    sum(collectionId) {
      const rows = select.all(collectionId);
      return { ...sumBySpend(rows), refunds: sumRefunds(rows) };
    },
  };
}
