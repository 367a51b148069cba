import type { Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { PendingBooking } from '../background-ledger.ts';
import type { CollectionRow, CollectionStore } from '../collection-store.ts';
import type { PaymentBookingStore } from '../payment-booking-store.ts';

interface Stores {
  collections: CollectionStore;
  paymentBookings: PaymentBookingStore;
}

/** The most bookings that are listed at a time. */
export const maxPendingBookings = 20;

/** A collection with the sums to book. */
export function pendingBookingOf({ collections, paymentBookings }: Stores, row: CollectionRow): PendingBooking {
  const { id, token, source } = row;
  const sums = source === 'payments' ? paymentBookings.sum(id) : { ...collections.sumSpends(id), refunds: [] };
  return { collectionId: id, token, ...sums };
}

/**
 * Collections that succeeded and are not booked, oldest first from behind `after`, with the sums to book; at most
 * `maxPendingBookings`.
 */
export function createListPendingBookings(stores: Stores) {
  return function listPendingBookings({ after = 0 }: { after?: number }): PendingBooking[] {
    const rows = stores.collections.list('collected', { limit: maxPendingBookings, after });
    return rows.map((row) => pendingBookingOf(stores, row));
  };
}

/**
 * Records that a collection was booked as batch `batchId`; repeating it has no effect.
 * @throws AutoPayError `internal_error` if it was not collected, or was booked as another batch.
 */
export function createFinishBooking({ collections }: { collections: CollectionStore }) {
  return function finishBooking(result: { collectionId: number; batchId: bigint; transactionHash: Hex }): void {
    const row = collections.find(result.collectionId);
    if (row?.state === 'booked' && row.bookingId === result.batchId.toString()) return;
    if (row?.state !== 'collected') {
      const state = row === undefined ? 'unknown' : row.state;
      throw new AutoPayError('internal_error', `Collection ${result.collectionId} is ${state}: it cannot be booked.`);
    }
    collections.update({
      ...row,
      state: 'booked',
      bookingId: result.batchId.toString(),
      bookingTransactionHash: result.transactionHash,
    });
  };
}
