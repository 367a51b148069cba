import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { QueuedTransaction } from '../background-ledger.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { CollectionRow, CollectionStore } from '../collection-store.ts';
import type { LogStore } from '../log-store.ts';
import type { PaymentBookingStore } from '../payment-booking-store.ts';
import type { PaymentStore } from '../payment-store.ts';
import type { TransactionStore } from '../transaction-store.ts';

interface Stores {
  log: Pick<LogStore, 'deleteAnchor'>;
  channels: ChannelStore;
  collections: CollectionStore;
  payments: PaymentStore;
  paymentBookings: PaymentBookingStore;
  transactions: TransactionStore;
}

/**
 * Takes back what was recorded because a transaction had succeeded, once it turns out to have come to nothing: a reorganisation took
 * it out of its block, and what it did cannot be done any more. A payment is due again, the charges of a collection are collectable
 * again, what was booked waits to be booked, and what was anchored to be anchored. What stands on the chain is not touched: a payment that is
 * booked stays so until its booking is taken back too.
 */
export function createUndoTransaction(stores: Stores) {
  const { channels, collections, log, payments, paymentBookings, transactions } = stores;

  /** Claims are cumulative: what a later collection took is taken, whatever became of this one. */
  function giveUp(row: CollectionRow): void {
    for (const { channel, claimed } of collections.read(row).claims) {
      const settled = collections.settledBeside(row.id, channel.channelId);
      if (settled >= claimed) continue;
      channels.updateChainSide({ ...channel, settled, finalized: channel.finalized && !row.closes });
      collections.markSkipped(row.id, channel.channelId);
      collections.returnCharges(row.id, channel.channelId);
    }
    if (collections.sumSpends(row.id).spends.length > 0) return collections.update(row);
    collections.update({ ...row, state: 'abandoned', transactionHash: null });
  }

  function undoCollection(row: CollectionRow): void {
    const isBooked = row.bookingId !== null;
    if (!isBooked && (row.state === 'collected' || row.state === 'booked')) giveUp(row);
  }

  function undoBooking(row: CollectionRow): void {
    if (row.state !== 'booked' || row.bookingId === null) return;
    const open: CollectionRow = { ...row, state: 'collected', bookingId: null, bookingTransactionHash: null };
    collections.update(open);
    if (row.source === 'payments') return undoPayments(open, () => payments.takeBackCollected(row.id));
    const taken = transactions.findByPurpose(`${row.closes ? 'close' : 'collect'}:${row.id}`);
    if (taken?.status === 'reverted') giveUp(open);
  }

  /** A collection of payments that none is left of has nothing to book. */
  function undoPayments(row: CollectionRow | undefined, takeBack: () => void): void {
    takeBack();
    if (row?.state !== 'collected') return;
    const { refunds, spends } = paymentBookings.sum(row.id);
    if (refunds.length === 0 && spends.length === 0) collections.update({ ...row, state: 'booked' });
  }

  return function undoTransaction({ purpose }: Pick<QueuedTransaction, 'purpose'>): void {
    const [kind = '', subject = ''] = purpose.split(':');
    if (kind === 'pay' || kind === 'attribute') {
      const paymentId = subject as Hex;
      const collection = payments.collectionOf(paymentId);
      const row = collection === undefined ? undefined : collections.find(collection);
      return undoPayments(row, () => payments.takeBack(paymentId));
    }
    if (kind === 'anchor') return log.deleteAnchor(Number(subject));
    if (kind !== 'collect' && kind !== 'close' && kind !== 'book') return;
    // A booking that takes several transactions numbers them: `book:7/1`.
    const row = collections.find(Number.parseInt(subject, 10));
    if (row !== undefined) (kind === 'book' ? undoBooking : undoCollection)(row);
  };
}
