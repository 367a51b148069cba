import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import type { PendingBooking } from '../background-ledger.ts';
import type { CollectionStore } from '../collection-store.ts';
import type { PaymentBookingStore } from '../payment-booking-store.ts';
import { pendingBookingOf } from './finish-booking.ts';

/** The most payments of one booking, so that no transaction of the writer grows without bound. */
export const maxPaymentsPerBooking = 10_000;

/**
 * Puts settled payments of one token, that of the oldest, into a collection that waits to be booked. Each is in one for
 * ever, so it is booked and refunded once.
 * @returns undefined if no settled payment waits.
 */
export function createOpenPaymentBooking(stores: {
  collections: CollectionStore;
  paymentBookings: PaymentBookingStore;
}) {
  const { collections, paymentBookings } = stores;
  return function openPaymentBooking({ maxPayments }: { maxPayments: number }): PendingBooking | undefined {
    const token = maxPayments < 1 ? undefined : paymentBookings.nextToken();
    if (token === undefined) return undefined;
    const id = collections.insert({ source: 'payments', token });
    paymentBookings.assign(id, token, Math.min(maxPayments, maxPaymentsPerBooking));
    const row = collections.find(id);
    if (row === undefined) throw new AutoPayError('internal_error', `Collection ${id} was not stored.`);
    return pendingBookingOf(stores, row);
  };
}
