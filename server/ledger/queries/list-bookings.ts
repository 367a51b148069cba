import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { fromHex, type Hex } from '../../../protocol/bytes/hex.ts';
import { sumBySpend } from '../collected-charges.ts';
import { createPaymentBookingStore } from '../payment-booking-store.ts';
import { amountOf, hexOf, numberOf, textOf, type Row } from '../rows.ts';
import { maxBookingsListed, type BookingPiece, type BookingQuery } from './audit-queries.ts';
import { writeJson } from './describe-call.ts';

/** Beyond this many charges a piece ends: summing them up must not hold up other questions. */
const maxChargesSummed = 20_000;

const dayMs = 86_400_000;

/** Lists collections with what they were booked for, some at a time, by their ids. */
export function createBookingLister(db: DatabaseSync): (query: BookingQuery) => BookingPiece {
  const selectNewest = db.prepare('SELECT coalesce(max(collection_id), 0) AS id FROM collections');
  const describe = createDescriber(db);
  return function listBookings(query) {
    const newest = numberOf(selectNewest.get() ?? {}, 'id');
    const most = Math.min(query.limit, maxBookingsListed);
    const { sql, values } = selectSql(query);
    const found = db.prepare(sql).all(...values, most + 1);
    const rows: string[] = [];
    let summed = 0;
    let last = 0;
    for (const row of found) {
      if (rows.length === most || summed > maxChargesSummed) break;
      const { booking, charges } = describe(row, query.payer);
      rows.push(writeJson(booking));
      summed += charges;
      last = numberOf(row, 'collection_id');
    }
    const isCut = rows.length < found.length;
    return { rows, next: isCut ? last + (query.order === 'asc' ? 1 : -1) : null, newest };
  };
}

/** A payer's are those that took from its channels, or in which its payments are. */
const ofPayer = `collection_id IN (
  SELECT collection_id FROM channels JOIN collection_claims USING (channel_id) WHERE channels.payer = ? AND skipped = 0
  UNION SELECT collection_id FROM direct_payments WHERE payer = ? AND collection_id IS NOT NULL
) AND state <> 'abandoned'`;

function selectSql({ chainId, payer, order, at }: BookingQuery): { sql: string; values: SQLInputValue[] } {
  const isRising = order === 'asc';
  const address = payer === undefined ? undefined : fromHex(payer, 20);
  const conditions = [
    `collection_id ${isRising ? '>=' : '<='} ?`,
    ...(chainId === undefined ? [] : ['chain_id = ?']),
    ...(address === undefined ? [] : [ofPayer]),
  ];
  return {
    sql: `SELECT * FROM collections WHERE ${conditions.join(' AND ')} ORDER BY collection_id ${isRising ? 'ASC' : 'DESC'} LIMIT ?`,
    values: [
      at ?? (isRising ? 0 : Number.MAX_SAFE_INTEGER),
      ...(chainId === undefined ? [] : [chainId]),
      ...(address === undefined ? [] : [address, address]),
    ],
  };
}

/** What one collection brought in, and what it was booked for: all of it, or of one payer's charges alone. */
function createDescriber(db: DatabaseSync) {
  const selectCharges = db.prepare(
    'SELECT log_index, day, model, provider, amount, payer FROM charges WHERE collection_id = ? ORDER BY log_index',
  );
  const selectPaid = db.prepare(
    `SELECT c.log_index, c.day, c.model, c.provider, c.amount, p.payer
     FROM direct_payments p JOIN charges c USING (call_id) WHERE p.collection_id = ? ORDER BY c.log_index`,
  );
  const selectRelease = db.prepare(
    `SELECT status, hash FROM transactions JOIN transaction_attempts USING (transaction_id)
     WHERE chain_id = ? AND purpose = ? AND status <> 'reverted' ORDER BY number`,
  );
  const paymentBookings = createPaymentBookingStore(db, 0);

  /** All signatures of the transaction, of which one at most is mined. */
  function releaseOf(row: Row): object | null {
    if (row['booking_id'] === null) return null;
    const attempts = selectRelease.all(numberOf(row, 'chain_id'), `release:${textOf(row, 'booking_id')}`);
    const [first] = attempts;
    if (first === undefined) return null;
    return { status: textOf(first, 'status'), transactionHashes: attempts.map((attempt) => hexOf(attempt, 'hash')) };
  }

  return function describe(row: Row, payer: Hex | undefined): { booking: object; charges: number } {
    const id = numberOf(row, 'collection_id');
    const isOfPayments = textOf(row, 'source') === 'payments';
    const isAsked = (found: Row) => payer === undefined || hexOf(found, 'payer') === payer;
    const all = (isOfPayments ? selectPaid : selectCharges).all(id);
    const charges = all.filter(isAsked);
    const { spends } = sumBySpend(charges);
    const refunds = isOfPayments
      ? paymentBookings.sum(id).refunds.filter(({ to }) => payer === undefined || to === payer)
      : [];
    const last = all.at(-1);
    const hash = (column: string) => (row[column] === null ? null : hexOf(row, column));
    const booking = {
      ...{ object: 'booking', collection: id, chainId: numberOf(row, 'chain_id'), source: textOf(row, 'source') },
      ...{ token: hexOf(row, 'token'), state: textOf(row, 'state'), closes: numberOf(row, 'closes') === 1 },
      transactionHash: hash('transaction_hash'),
      batchId: row['booking_id'] === null ? null : textOf(row, 'booking_id'),
      bookingTransactionHash: hash('booking_transaction_hash'),
      release: releaseOf(row),
      logSize: last ? numberOf(last, 'log_index') + 1 : 0,
      calls: charges.length,
      amount: charges.reduce((total, charge) => total + amountOf(charge, 'amount'), 0n),
      spends: spends.map(({ day, ...spend }) => ({ day: new Date(day * dayMs).toISOString().slice(0, 10), ...spend })),
      refunds,
    };
    return { booking, charges: all.length };
  };
}
