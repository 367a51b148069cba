import type { Hex } from '../protocol/bytes/hex.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { Differences, type Claim } from './claims.ts';
import type { Books, Row } from './open-books.ts';

/** Where the charges of a token are. Atomic units. */
interface Totals {
  /** By the receipts. */
  charged: bigint;
  /** By channels and direct payments. */
  owed: bigint;
  booked: bigint;
  notYetBooked: bigint;
  lost: bigint;
}

/** What became of a charge, by what pays for it; undefined if its row says what cannot be. */
function placeOf(row: Row): 'booked' | 'notYetBooked' | 'lost' | undefined {
  const collection = row.isNull('collection_state') ? null : row.text('collection_state');
  const isBooked = collection === 'booked';
  if (row.isNull('payment_state')) {
    if (isBooked || collection === 'collected' || collection === 'open') return isBooked ? 'booked' : 'notYetBooked';
    if (collection !== null || !row.isNull('named_collection') || row.isNull('finalized')) return undefined;
    // A closed channel pays for nothing that it has not paid for.
    return row.number('finalized') === 1 ? 'lost' : 'notYetBooked';
  }
  const state = row.text('payment_state');
  if (state === 'lost' || state === 'forgiven') return 'lost';
  if (state === 'due') return 'notYetBooked';
  if (state !== 'settled') return undefined;
  // A call by allowance is booked to its provider by the transaction that takes the money.
  return isBooked || row.text('kind') === 'allowance' ? 'booked' : 'notYetBooked';
}

/**
 * Σ charges = booked + not yet booked + lost, token by token: every charge is in one place, and what the receipts add up to
 * is what channels and payments hold.
 */
export function checkTotals(books: Books): Claim {
  const differences = new Differences();
  const totals = new Map<Hex, Totals>();
  const of = (token: Hex): Totals => {
    const known = totals.get(token) ?? { charged: 0n, owed: 0n, booked: 0n, notYetBooked: 0n, lost: 0n };
    totals.set(token, known);
    return known;
  };
  for (const row of books.rows('SELECT entry FROM charges')) {
    try {
      const { token, amount } = decodeReceipt(row.bytes('entry'));
      if (amount > 0n) of(token).charged += amount;
    } catch {
      differences.add('a receipt cannot be read');
    }
  }
  for (const row of books.rows(
    'SELECT token, charged FROM channels UNION ALL SELECT token, charge FROM direct_payments',
  ))
    of(row.hex('token')).owed += row.amount('charged');
  for (const row of chargesWithPlaces(books)) {
    const place = placeOf(row);
    if (place === undefined) differences.add(`charge ${row.number('log_index')} is neither booked, waiting nor lost`);
    else of(row.hex('token'))[place] += row.amount('amount');
  }
  for (const [token, { charged, owed, booked, notYetBooked, lost }] of totals) {
    const placed = booked + notYetBooked + lost;
    differences.require(
      charged === placed && charged === owed,
      () => `the receipts in ${token} add up to ${charged}, the charges to ${placed}, what pays for them to ${owed}`,
    );
  }
  const details = [...totals].map(
    ([token, { charged, booked, notYetBooked, lost }]) =>
      `${charged} of ${token} (${booked} booked, ${notYetBooked} not yet, ${lost} lost)`,
  );
  return differences.toClaim(
    'totals_add_up',
    `all charges are accounted for: ${details.join(', ') || 'there are none'}`,
  );
}

function chargesWithPlaces(books: Books): Iterable<Row> {
  return books.rows(
    `SELECT c.log_index, c.token, c.amount, p.state AS payment_state, p.kind, channels.finalized,
       coalesce(c.collection_id, p.collection_id) AS named_collection, collections.state AS collection_state
     FROM charges c LEFT JOIN channels USING (channel_id) LEFT JOIN direct_payments p ON p.call_id = c.call_id
     LEFT JOIN collections ON collections.collection_id = coalesce(c.collection_id, p.collection_id)
     WHERE c.channel_id IS NOT NULL OR c.amount <> zeroblob(16)`,
  );
}
