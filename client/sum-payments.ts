import { dayOf } from './day-spending.ts';
import type { StoredPayment } from './payment-store.ts';

/** What payments without a receipt have cost, to one service, in one token. */
export interface PaymentRow {
  /** The service's origin. */
  service: string;
  chainId: number;
  /** The token's address. */
  token: string;
  payments: number;
  /** Atomic units: what was taken, as the service says, or where it does not, what was signed. */
  amount: bigint;
  /** How many of the payments the service has not confirmed. */
  unconfirmed: number;
}

/**
 * Sums payments for which there is no receipt: those to services that are no relays of ours, and those whose answer was lost. A refused
 * one counts with what was signed: its signature may be used all the same until it lapses, and only the chain knows.
 * @param days first and last day (UTC), such as `2026-11-21`.
 * @returns rows sorted by service.
 */
export function sumPayments(
  payments: readonly StoredPayment[],
  { since = '', until = '9999-12-31' }: { since?: string; until?: string } = {},
): PaymentRow[] {
  const rows = new Map<string, PaymentRow>();
  for (const { url, chainId, token, amount, taken, state, evidence, atMs } of payments) {
    const day = dayOf(atMs);
    if (evidence === 'autopay-receipt' || day < since || day > until) continue;
    const { origin: service } = new URL(url);
    const id = JSON.stringify([service, chainId, token]);
    const row = rows.get(id) ?? { service, chainId, token, payments: 0, amount: 0n, unconfirmed: 0 };
    row.payments += 1;
    row.amount += BigInt(taken ?? amount);
    if (state !== 'settled') row.unconfirmed += 1;
    rows.set(id, row);
  }
  return [...rows.values()].toSorted((one, other) => one.service.localeCompare(other.service));
}
