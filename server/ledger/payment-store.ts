import type { DatabaseSync } from 'node:sqlite';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { parseCallId } from '../../protocol/receipt/call-id.ts';
import { encodeAmount } from './amount-blob.ts';
import type { StoredPayment } from './background-ledger.ts';
import { roundUpToUnit } from './billing-units.ts';
import type { DirectPayment } from './ledger.ts';
import { amountOf } from './rows.ts';
import { createRequireChange, createSettlementStore, paymentOf, type SettlementStore } from './settlement-store.ts';

/** Reads and writes the rows of `direct_payments` that are of one chain. */
export interface PaymentStore extends SettlementStore {
  find(paymentId: Hex): StoredPayment | undefined;
  /** @throws AutoPayError `internal_error` if there is no such payment. */
  get(paymentId: Hex): StoredPayment;
  /**
   * What the payer's open payments by allowance may still take, in whole billing units each: quotes of calls under way, and
   * charges that are due.
   */
  sumOpenAllowances(payer: Hex, token: Hex): bigint;
  /**
   * What the payer's open signed payments may still take from its wallet: of calls under way the signed value, or with `upto` the
   * quote, and what is due.
   */
  sumOpenSigned(payer: Hex, token: Hex): bigint;
  /** Whether the id is a payment's on another chain: nonces of one authority and payer count over all chains. */
  isElsewhere(paymentId: Hex): boolean;
  /** A new payment, or a released one that is tried again: reserved for a call. */
  reserve(payment: DirectPayment, callId: string): void;
  release(paymentId: Hex): void;
  /** What its call was charged and what is taken for it: due, or settled if that is nothing. */
  charge(paymentId: Hex, amounts: { charge: bigint; captured: bigint; chargedAtMs: number }): void;
}

/** Prepares the statements once. */
export function createPaymentStore(db: DatabaseSync, chainId: number): PaymentStore {
  const here = `chain_id = ${chainId}`;
  const select = db.prepare(`SELECT * FROM direct_payments WHERE payment_id = ? AND ${here}`);
  const selectElsewhere = db.prepare(`SELECT 1 FROM direct_payments WHERE payment_id = ? AND chain_id <> ${chainId}`);
  const selectOpen = db.prepare(
    `SELECT iif(p.state = 'due', p.charge, c.quote) AS amount FROM direct_payments p JOIN calls c USING (call_id)
     WHERE p.kind = 'allowance' AND p.state IN ('reserved', 'due') AND p.${here} AND p.payer = ? AND p.token = ?`,
  );
  const selectOpenSigned = db.prepare(
    `SELECT iif(p.state = 'due', p.captured, iif(p.kind = 'permit2-upto', c.quote, p.maximum)) AS amount
     FROM direct_payments p JOIN calls c USING (call_id)
     WHERE p.kind <> 'allowance' AND p.state IN ('reserved', 'due') AND p.${here} AND p.payer = ? AND p.token = ?`,
  );
  const reserve = db.prepare(
    `INSERT INTO direct_payments (payment_id, call_id, kind, payer, token, maximum, payload, valid_before_seconds, state,
       charge, captured, chain_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'reserved', zeroblob(16), zeroblob(16), ${chainId})
     ON CONFLICT (payment_id) DO UPDATE SET call_id = excluded.call_id, kind = excluded.kind, token = excluded.token,
       maximum = excluded.maximum, payload = excluded.payload, valid_before_seconds = excluded.valid_before_seconds,
       state = 'reserved'
     WHERE state = 'released' AND ${here}`,
  );
  const release = db.prepare(
    `UPDATE direct_payments SET state = 'released' WHERE payment_id = ? AND ${here} AND state = 'reserved'`,
  );
  const charge = db.prepare(
    `UPDATE direct_payments SET state = ?, charge = ?, captured = ?, charged_at_ms = ?
     WHERE payment_id = ? AND ${here} AND state = 'reserved'`,
  );

  function find(paymentId: Hex): StoredPayment | undefined {
    const row = select.get(fromHex(paymentId, 32));
    return row === undefined ? undefined : paymentOf(row);
  }
  const requireChange = createRequireChange(find);

  return {
    ...createSettlementStore(db, chainId, requireChange),
    find,
    get(paymentId) {
      const payment = find(paymentId);
      if (payment === undefined) throw new AutoPayError('internal_error', `The ledger has no payment ${paymentId}.`);
      return payment;
    },
    isElsewhere: (paymentId) => selectElsewhere.get(fromHex(paymentId, 32)) !== undefined,
    sumOpenAllowances: (payer, token) =>
      selectOpen
        .all(fromHex(payer, 20), fromHex(token, 20))
        .reduce((sum, row) => sum + roundUpToUnit(amountOf(row, 'amount')), 0n),
    sumOpenSigned: (payer, token) =>
      selectOpenSigned
        .all(fromHex(payer, 20), fromHex(token, 20))
        .reduce((sum, row) => sum + amountOf(row, 'amount'), 0n),
    reserve({ paymentId, kind, payer, token, maximum, payload, validBefore }, callId) {
      const id = fromHex(paymentId, 32);
      const [from, of] = [fromHex(payer, 20), fromHex(token, 20)];
      const change = reserve.run(id, parseCallId(callId), kind, from, of, encodeAmount(maximum), payload, validBefore);
      requireChange(change, paymentId, 'reserved');
    },
    release: (paymentId) => requireChange(release.run(fromHex(paymentId, 32)), paymentId, 'released'),
    charge(paymentId, amounts) {
      const state = amounts.captured === 0n ? 'settled' : 'due';
      const [charged, captured] = [encodeAmount(amounts.charge), encodeAmount(amounts.captured)];
      const change = charge.run(state, charged, captured, amounts.chargedAtMs, fromHex(paymentId, 32));
      requireChange(change, paymentId, state);
    },
  };
}
