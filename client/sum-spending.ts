import { zeroAddress } from '../protocol/bytes/hex.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { decodeSignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import { dayOf } from './day-spending.ts';
import type { StoredReceipt } from './receipt-store.ts';

/** What spending is summed by. */
export interface SpendingQuery {
  by: 'model' | 'day';
  chainId: number;
  /** First and last day (UTC), such as `2026-11-21`. */
  since?: string;
  until?: string;
}

/** What the calls of one model or day have cost, in one token. */
export interface SpendingRow {
  /** The model, or the day. */
  name: string;
  /** The token's address; null for calls that cost nothing. */
  token: string | null;
  calls: number;
  promptTokens: number;
  completionTokens: number;
  /** Atomic units, by the receipts. */
  amount: bigint;
  /** How many of the calls have a receipt in which something did not fit. */
  doubtful: number;
}

/**
 * Sums what calls have cost by the wallet's own receipts, those that did not fit included: their charge was claimed. A call counts
 * for the day on which its receipt came.
 * @returns rows sorted by name.
 * @throws AutoPayError `invalid_encoding` if a stored receipt cannot be read.
 */
export function sumSpending(receipts: readonly StoredReceipt[], query: SpendingQuery): SpendingRow[] {
  const { by, chainId, since = '', until = '9999-12-31' } = query;
  const rows = new Map<string, SpendingRow>();
  for (const stored of receipts) {
    const day = dayOf(stored.receivedAtMs);
    if (stored.chainId !== chainId || day < since || day > until) continue;
    const name = by === 'day' ? day : stored.model;
    const { token: named } = decodeReceipt(decodeSignedReceipt(stored.receipt).entry);
    const token = named === zeroAddress ? null : named;
    const id = JSON.stringify([name, token]);
    const row = rows.get(id) ?? {
      name,
      token,
      calls: 0,
      promptTokens: 0,
      completionTokens: 0,
      amount: 0n,
      doubtful: 0,
    };
    row.calls += 1;
    row.promptTokens += stored.promptTokens;
    row.completionTokens += stored.completionTokens;
    row.amount += BigInt(stored.amount);
    if (stored.problems.length > 0) row.doubtful += 1;
    rows.set(id, row);
  }
  return [...rows.values()].toSorted((one, other) => one.name.localeCompare(other.name));
}
