import type { DatabaseSync, StatementResultingChanges } from 'node:sqlite';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { DirectPaymentKind } from '../../protocol/payments/payment-id.ts';
import { formatCallId } from '../../protocol/receipt/call-id.ts';
import type { DuePayment, PaymentState, StoredPayment } from './background-ledger.ts';
import { mostRetrySeconds } from './retried-until.ts';
import { amountOf, bytesOf, hexOf, numberOf, textOf, type Row } from './rows.ts';
import { createUndonePayments, type UndonePayments } from './undone-payments.ts';

/** A page of payment ids, in their order. */
export interface IdPage {
  after?: Hex;
  limit: number;
}

/** What becomes of charged payments: the rows of `direct_payments` from `due` on. */
export interface SettlementStore extends UndonePayments {
  settle(paymentId: Hex, transactionHash: Hex): void;
  lose(paymentId: Hex, reason: string): void;
  forgive(paymentId: Hex): void;
  /** Due or lost payments, oldest charge first; none after a payment that is unknown. */
  list(state: 'due' | 'lost', page: { after?: Hex; limit: number }): DuePayment[];
  /** Losses that may still be settled at a time, by their ids. */
  listRetried(page: IdPage & { nowSeconds: number }): Hex[];
  /** Losses and forgiven payments that have a transaction which did not revert, by their ids. */
  listCarried(page: IdPage): Hex[];
  /** One payment that is due or lost. */
  findUnsettled(paymentId: Hex): DuePayment | undefined;
  count(state: 'due' | 'lost'): number;
  /** A payment of this payer that is lost, on any chain, if there is one. Asks the file only if there may be any at all. */
  findLoss(payer: Hex): (StoredPayment & Pick<DuePayment, 'chargedAtMs'>) | undefined;
}

/** A payment from its row. */
export function paymentOf(row: Row): StoredPayment {
  return {
    paymentId: hexOf(row, 'payment_id'),
    kind: textOf(row, 'kind') as DirectPaymentKind,
    payer: hexOf(row, 'payer'),
    token: hexOf(row, 'token'),
    maximum: amountOf(row, 'maximum'),
    payload: textOf(row, 'payload'),
    validBefore: row['valid_before_seconds'] === null ? null : numberOf(row, 'valid_before_seconds'),
    state: textOf(row, 'state') as PaymentState,
    callId: formatCallId(bytesOf(row, 'call_id')),
    charge: amountOf(row, 'charge'),
    captured: amountOf(row, 'captured'),
    transactionHash: row['transaction_hash'] === null ? null : hexOf(row, 'transaction_hash'),
    lossReason: row['loss_reason'] === null ? null : textOf(row, 'loss_reason'),
  };
}

function dueOf(row: Row): DuePayment {
  const chargedAtMs = numberOf(row, 'charged_at_ms');
  return { ...paymentOf(row), chargedAtMs, model: textOf(row, 'model'), provider: textOf(row, 'provider') };
}

/** What every id of a first page is above. */
function afterOf(after: Hex | undefined): Uint8Array {
  return after === undefined ? new Uint8Array() : fromHex(after, 32);
}

/** Makes the check that an update changed its one payment, or throws what state that is in. */
export function createRequireChange(find: (paymentId: Hex) => StoredPayment | undefined) {
  return function requireChange({ changes }: StatementResultingChanges, paymentId: Hex, to: PaymentState): void {
    if (Number(changes) === 1) return;
    const state = find(paymentId)?.state ?? 'unknown';
    throw new AutoPayError('internal_error', `Payment ${paymentId} is ${state}: it cannot become ${to}.`);
  };
}

/** A payer who owes on one chain is refused on all. */
const lossesByFile = new WeakMap<DatabaseSync, { mayExist: boolean }>();

/** Never false while a payment is lost; once true it stays so, because an undone operation would not set it back. */
function lossesOf(db: DatabaseSync): { mayExist: boolean } {
  const known = lossesByFile.get(db);
  if (known !== undefined) return known;
  const found = db.prepare(`SELECT 1 FROM direct_payments WHERE state = 'lost' LIMIT 1`).get() !== undefined;
  const losses = { mayExist: found };
  lossesByFile.set(db, losses);
  return losses;
}

/** Prepares the statements once. */
export function createSettlementStore(
  db: DatabaseSync,
  chainId: number,
  requireChange: ReturnType<typeof createRequireChange>,
): SettlementStore {
  const selectLoss = db.prepare(`SELECT * FROM direct_payments WHERE payer = ? AND state = 'lost' LIMIT 1`);
  const update = (values: string, from: string) =>
    db.prepare(
      `UPDATE direct_payments SET ${values} WHERE payment_id = ? AND chain_id = ${chainId} AND state IN (${from})`,
    );
  const settle = update(`state = 'settled', transaction_hash = ?`, `'due', 'lost', 'forgiven'`);
  const lose = update(`state = 'lost', loss_reason = ?`, `'due', 'lost'`);
  const forgive = update(`state = 'forgiven'`, `'lost'`);
  const unsettled = 'SELECT p.*, c.model, c.provider FROM direct_payments p JOIN charges c USING (call_id)';
  const selectUnsettled = db.prepare(
    `${unsettled} WHERE p.state = ? AND p.state IN ('due', 'lost') AND p.chain_id = ${chainId} ORDER BY p.charged_at_ms, c.log_index LIMIT ?`,
  );
  const selectNext = db.prepare(
    `${unsettled} WHERE p.state = ? AND p.state IN ('due', 'lost') AND p.chain_id = ${chainId} AND (p.charged_at_ms, c.log_index) > (
       SELECT q.charged_at_ms, d.log_index FROM direct_payments q JOIN charges d USING (call_id) WHERE q.payment_id = ?)
     ORDER BY p.charged_at_ms, c.log_index LIMIT ?`,
  );
  const selectRetried = db.prepare(
    `SELECT payment_id FROM direct_payments WHERE state = 'lost' AND state IN ('lost', 'forgiven') AND chain_id = ${chainId} AND payment_id > ?
       AND min(ifnull(valid_before_seconds, ?), charged_at_ms / 1000 + ?) > ? ORDER BY payment_id LIMIT ?`,
  );
  const selectCarried = db.prepare(
    `SELECT payment_id FROM direct_payments p WHERE p.state IN ('lost', 'forgiven') AND p.chain_id = ${chainId} AND p.payment_id > ? AND EXISTS (
       SELECT 1 FROM transactions t WHERE t.status <> 'reverted' AND t.chain_id = p.chain_id
         AND t.purpose IN ('pay:0x' || lower(hex(p.payment_id)), 'attribute:0x' || lower(hex(p.payment_id))))
     ORDER BY p.payment_id LIMIT ?`,
  );
  const selectOne = db.prepare(
    `${unsettled} WHERE p.payment_id = ? AND p.state IN ('due', 'lost') AND p.chain_id = ${chainId}`,
  );
  const count = db.prepare(
    `SELECT count(*) AS count FROM direct_payments WHERE state = ? AND state IN ('due', 'lost') AND chain_id = ${chainId}`,
  );
  const losses = lossesOf(db);
  const undone = createUndonePayments(db, chainId);

  return {
    settle(paymentId, transactionHash) {
      requireChange(settle.run(fromHex(transactionHash, 32), fromHex(paymentId, 32)), paymentId, 'settled');
    },
    lose(paymentId, reason) {
      losses.mayExist = true;
      requireChange(lose.run(reason, fromHex(paymentId, 32)), paymentId, 'lost');
    },
    forgive: (paymentId) => requireChange(forgive.run(fromHex(paymentId, 32)), paymentId, 'forgiven'),
    ...undone,
    takeBack(paymentId) {
      losses.mayExist = true;
      undone.takeBack(paymentId);
    },
    takeBackCollected(collectionId) {
      losses.mayExist = true;
      undone.takeBackCollected(collectionId);
    },
    list: (state, { after, limit }) =>
      (after === undefined ? selectUnsettled.all(state, limit) : selectNext.all(state, fromHex(after, 32), limit)).map(
        dueOf,
      ),
    listRetried: ({ after, limit, nowSeconds }) =>
      selectRetried
        .all(afterOf(after), Number.MAX_SAFE_INTEGER, mostRetrySeconds, nowSeconds, limit)
        .map((row) => hexOf(row, 'payment_id')),
    listCarried: ({ after, limit }) => selectCarried.all(afterOf(after), limit).map((row) => hexOf(row, 'payment_id')),
    findUnsettled(paymentId) {
      const row = selectOne.get(fromHex(paymentId, 32));
      return row === undefined ? undefined : dueOf(row);
    },
    count: (state) => numberOf(count.get(state) ?? {}, 'count'),
    findLoss(payer) {
      const row = losses.mayExist ? selectLoss.get(fromHex(payer, 20)) : undefined;
      return row === undefined ? undefined : { ...paymentOf(row), chargedAtMs: numberOf(row, 'charged_at_ms') };
    },
  };
}
