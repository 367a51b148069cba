import type { DatabaseSync } from 'node:sqlite';
import { isCallId, parseCallId } from '../../../protocol/receipt/call-id.ts';
import { encodeSignedReceipt } from '../../../protocol/receipt/signed-receipt.ts';
import { createChargeReader } from '../charge-store.ts';
import { amountOf, hexOf, numberOf, textOf, type Row } from '../rows.ts';
import type { FoundCall } from './audit-queries.ts';
import { describeCall, writeJson } from './describe-call.ts';

/** How far the money of a call is. */
interface CallBooking {
  /** Null until the charge is among those that are taken together. */
  collection: number | null;
  /** `uncollected`, or the state of the collection; of a payment by allowance, whose transaction is its booking, the payment's. */
  state: string;
  /** What took the money from the payer. */
  transactionHash: string | null;
  /** The id of the booking on the chain, decimal. */
  batchId: string | null;
  bookingTransactionHash: string | null;
}

const textOrNull = (row: Row, column: string) => (row[column] === null ? null : textOf(row, column));
const hexOrNull = (row: Row, column: string) => (row[column] === null ? null : hexOf(row, column));

/** Finds a call, and how far its receipt and its money are. */
export function createCallFinder(db: DatabaseSync): (callId: string) => FoundCall | undefined {
  const select = db.prepare('SELECT * FROM charges WHERE call_id = ?');
  const charges = createChargeReader(db);
  const readLog = createLogStateReader(db);
  const readMoney = createMoneyReader(db);

  return function findCall(callId) {
    const row = isCallId(callId) ? select.get(parseCallId(callId)) : undefined;
    const receipt = row && charges.find(callId);
    if (row === undefined || receipt === undefined) return undefined;
    const call = describeCall(row);
    const answer = {
      ...call,
      signedReceipt: encodeSignedReceipt(receipt.signed),
      log: readLog(call.index),
      ...readMoney(row),
    };
    return {
      ...{ chainId: call.chainId, keyId: call.keyId },
      payer: row['payer'] === null ? null : hexOf(row, 'payer'),
      json: writeJson(answer),
    };
  };
}

/** What of the log covers an entry: the newest checkpoint, its block, and on each chain the first anchor. */
function createLogStateReader(db: DatabaseSync) {
  const selectCheckpoint = db.prepare('SELECT size, signed_at_ms FROM checkpoints ORDER BY size DESC LIMIT 1');
  const selectBlock = db.prepare('SELECT * FROM blocks WHERE start <= ?1 AND size > ?1 ORDER BY start DESC LIMIT 1');
  const selectAnchors = db.prepare(
    `SELECT anchors.* FROM chains CROSS JOIN anchors USING (chain_id)
     WHERE size = (SELECT min(size) FROM anchors AS later WHERE later.chain_id = chains.chain_id AND size > ?) ORDER BY chain_id`,
  );
  return function readLog(index: number): object {
    const checkpoint = selectCheckpoint.get();
    const block = selectBlock.get(index);
    const isCovered = checkpoint !== undefined && numberOf(checkpoint, 'size') > index;
    return {
      index,
      checkpoint: isCovered
        ? {
            size: numberOf(checkpoint, 'size'),
            signedAt: new Date(numberOf(checkpoint, 'signed_at_ms')).toISOString(),
          }
        : null,
      block: block
        ? { cid: textOf(block, 'cid'), start: numberOf(block, 'start'), size: numberOf(block, 'size') }
        : null,
      anchors: selectAnchors.all(index).map((row) => ({
        chainId: numberOf(row, 'chain_id'),
        size: numberOf(row, 'size'),
        transactionHash: hexOf(row, 'transaction_hash'),
      })),
    };
  };
}

/** What pays for a call, and how far that is. */
function createMoneyReader(db: DatabaseSync) {
  const selectPayment = db.prepare(
    'SELECT p.* FROM direct_payments p JOIN calls USING (payment_id) WHERE calls.call_id = ?',
  );
  const selectCollection = db.prepare('SELECT * FROM collections WHERE collection_id = ?');

  function readBooking(charge: Row, payment: Row | undefined): CallBooking {
    const id = charge['collection_id'] ?? payment?.['collection_id'] ?? null;
    const collection = id === null ? undefined : selectCollection.get(id);
    const paid = payment && hexOrNull(payment, 'transaction_hash');
    return {
      collection: collection ? numberOf(collection, 'collection_id') : null,
      state: collection ? textOf(collection, 'state') : payment ? textOf(payment, 'state') : 'uncollected',
      transactionHash: paid ?? (collection ? hexOrNull(collection, 'transaction_hash') : null),
      batchId: collection ? textOrNull(collection, 'booking_id') : null,
      bookingTransactionHash: collection ? hexOrNull(collection, 'booking_transaction_hash') : null,
    };
  }

  return function readMoney(charge: Row): { payment: object | null; booking: CallBooking | null } {
    const payment = selectPayment.get(charge['call_id'] ?? null);
    if (charge['payer'] === null || amountOf(charge, 'amount') === 0n) return { payment: null, booking: null };
    return {
      payment: payment
        ? {
            paymentId: hexOf(payment, 'payment_id'),
            kind: textOf(payment, 'kind'),
            state: textOf(payment, 'state'),
            captured: amountOf(payment, 'captured'),
          }
        : null,
      booking: readBooking(charge, payment),
    };
  };
}
