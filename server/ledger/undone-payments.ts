import type { DatabaseSync } from 'node:sqlite';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';

/** Settled payments whose transaction has come to nothing: rows of `direct_payments` on one chain. */
export interface UndonePayments {
  /**
   * Makes such a payment due again (or lost, as it was), and takes it out of the collection that it was in; nothing where it is
   * booked, or another transaction settled it.
   */
  takeBack(paymentId: Hex): void;
  /** Does so with all such payments of a collection that waits to be booked. */
  takeBackCollected(collectionId: number): void;
  /** The collection that a payment is in; undefined if in none. */
  collectionOf(paymentId: Hex): number | undefined;
}

/** Prepares the statements once. */
export function createUndonePayments(db: DatabaseSync, chainId: number): UndonePayments {
  const undone = `UPDATE direct_payments
     SET state = iif(loss_reason IS NULL, 'due', 'lost'), transaction_hash = NULL, collection_id = NULL
     WHERE state = 'settled' AND chain_id = ${chainId} AND transaction_hash IN (
       SELECT hash FROM transaction_attempts JOIN transactions USING (transaction_id) WHERE status = 'reverted')`;
  const takeBack = db.prepare(
    `${undone} AND payment_id = ? AND (collection_id IS NULL OR collection_id IN (
       SELECT collection_id FROM collections WHERE state = 'collected'))`,
  );
  const takeBackCollected = db.prepare(`${undone} AND collection_id = ?`);
  const selectCollection = db.prepare(
    `SELECT collection_id FROM direct_payments WHERE payment_id = ? AND chain_id = ${chainId}`,
  );
  return {
    takeBack(paymentId) {
      takeBack.run(fromHex(paymentId, 32));
    },
    takeBackCollected(collectionId) {
      takeBackCollected.run(collectionId);
    },
    collectionOf(paymentId) {
      const id = selectCollection.get(fromHex(paymentId, 32))?.['collection_id'];
      return typeof id === 'number' ? id : undefined;
    },
  };
}
