import { zeroBytes32, type Hex } from '../protocol/bytes/hex.ts';
import { formatCallId } from '../protocol/receipt/call-id.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import type { CollectionRow } from './check-collections.ts';
import { Differences, type Claim } from './claims.ts';
import type { Books, Row } from './open-books.ts';

/** A direct payment: one payment for one call. */
export interface PaymentRow {
  paymentId: Hex;
  callId: string;
  kind: string;
  payer: Hex;
  token: Hex;
  state: string;
  maximum: bigint;
  charge: bigint;
  captured: bigint;
  transactionHash: Hex | null;
  collectionId: number | null;
  /** The call that it names; null if there is none, or that one names another payment. */
  call: { state: string; quote: bigint } | null;
  /** The receipt of that call; null if there is none that can be read. */
  receipt: CallReceipt | null;
}

/** A payment whose money arrives at AutoPayLLM, to be booked there; one by allowance goes to the provider at once. */
export function arrivesUnbooked(payment: PaymentRow): boolean {
  return payment.kind !== 'allowance' && payment.captured > 0n;
}

/** Whether its money may be on the chain without the ledger knowing of it yet. */
export function isUnsettled({ state }: PaymentRow): boolean {
  return state === 'due' || state === 'lost' || state === 'forgiven';
}

function receiptOf(row: Row): CallReceipt | null {
  if (row.isNull('entry')) return null;
  try {
    return decodeReceipt(row.bytes('entry'));
  } catch {
    return null;
  }
}

/** Reads the direct payments with their calls and receipts. */
export function readPayments(books: Books): PaymentRow[] {
  const rows = books.rows(
    `SELECT p.*, c.state AS call_state, c.quote, h.entry FROM direct_payments p
     LEFT JOIN calls c ON c.call_id = p.call_id AND c.payment_id = p.payment_id
     LEFT JOIN charges h ON h.call_id = p.call_id ORDER BY p.payment_id`,
  );
  return [...rows].map((row) => ({
    paymentId: row.hex('payment_id'),
    callId: formatCallId(row.bytes('call_id')),
    kind: row.text('kind'),
    payer: row.hex('payer'),
    token: row.hex('token'),
    state: row.text('state'),
    maximum: row.amount('maximum'),
    charge: row.amount('charge'),
    captured: row.amount('captured'),
    transactionHash: row.hexOrNull('transaction_hash'),
    collectionId: row.isNull('collection_id') ? null : row.number('collection_id'),
    call: row.isNull('call_state') ? null : { state: row.text('call_state'), quote: row.amount('quote') },
    receipt: receiptOf(row),
  }));
}

/**
 * Each payment is for one call, takes what its kind may take and never more than was signed, and its receipt says what of it
 * is owed back; and no call but these is paid directly.
 */
export function checkPayments(
  books: Books,
  payments: readonly PaymentRow[],
  collections: readonly CollectionRow[],
): Claim {
  const differences = new Differences();
  const collectionOf = new Map(collections.map((collection) => [collection.id, collection]));
  let captured = 0n;
  for (const payment of payments) {
    const faults = [
      ...faultsOfAmounts(payment),
      ...faultsOfCall(payment),
      ...faultsOfSettlement(payment, collectionOf),
    ];
    for (const fault of faults) differences.add(`payment ${payment.paymentId} ${fault}`);
    if (payment.state === 'settled') captured += payment.captured;
  }
  const strays = books.rows(
    `SELECT call_id FROM calls WHERE payment_id IS NOT NULL AND state <> 'released'
     AND call_id NOT IN (SELECT call_id FROM direct_payments WHERE payment_id = calls.payment_id)`,
  );
  for (const row of strays)
    differences.add(`the call ${formatCallId(row.bytes('call_id'))} has a payment of another call`);
  return differences.toClaim(
    'payments_add_up',
    `${payments.length} direct payments are each for one call, within what was signed; ${captured} was taken, and what was not charged is owed back by receipt`,
  );
}

function* faultsOfAmounts({ kind, maximum, charge, captured }: PaymentRow): Iterable<string> {
  const isFixed = kind === 'eip3009' || kind === 'permit2-exact';
  const expected = charge === 0n ? 0n : isFixed ? maximum : charge;
  if (captured !== expected) yield `takes ${captured} for a charge of ${charge}, and ${expected} would be right`;
  if (charge > captured) yield `charges ${charge}, more than it takes`;
  if (captured > maximum) yield `takes ${captured}, above the ${maximum} that was signed`;
}

function* faultsOfCall(payment: PaymentRow): Iterable<string> {
  const { call, callId, state, receipt, maximum } = payment;
  if (call === null) {
    yield `names the call ${callId}, which does not name it`;
    return;
  }
  const expected = state === 'reserved' || state === 'released' ? state : 'charged';
  if (call.state !== expected) yield `is ${state}, and its call is ${call.state}`;
  if (call.quote > maximum) yield `holds ${call.quote}, above the ${maximum} that was signed`;
  if (expected !== 'charged') {
    if (payment.charge !== 0n || receipt !== null) yield `is ${state} and charged`;
    return;
  }
  if (receipt === null) {
    yield 'is charged without a receipt';
    return;
  }
  const pairs: [string, unknown, unknown][] = [
    ['amount', receipt.amount, payment.charge],
    ['refund', receipt.refundOwed, payment.captured - payment.charge],
    ['payer', receipt.payer, payment.payer],
    ['token', receipt.token, payment.token],
    ['channel', receipt.channelId, zeroBytes32],
  ];
  for (const [what, said, stored] of pairs) {
    if (said !== stored) yield `has ${what} ${String(stored)}, and its receipt says ${String(said)}`;
  }
}

function* faultsOfSettlement(payment: PaymentRow, collections: ReadonlyMap<number, CollectionRow>): Iterable<string> {
  const { state, captured, transactionHash, collectionId, token } = payment;
  const hasMoved = state === 'settled' && captured > 0n;
  if (hasMoved !== (transactionHash !== null)) yield `is ${state} ${hasMoved ? 'without' : 'with'} a transaction`;
  if (captured === 0n && isUnsettled(payment)) yield `is ${state} and takes nothing`;
  if (collectionId === null) return;
  const collection = collections.get(collectionId);
  const fits = collection?.source === 'payments' && collection.token === token;
  if (!fits || !hasMoved || !arrivesUnbooked(payment)) yield `is not for collection ${collectionId}`;
}
