import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { fromHex } from '../../protocol/bytes/hex.ts';
import { formatCallId } from '../../protocol/receipt/call-id.ts';
import type { ChargePage, ChargeRow, SpendingDimension, SpendingFilter, SpendingSum } from './background-ledger.ts';
import { amountOf, bytesOf, hexOf, numberOf, textOf, type Row } from './rows.ts';

/** The most charges that one question reads, so that reports never hold up the calls. */
export const maxChargesPerPage = 2_000;

/** A page of sums; `next` is where the next one begins, null after the last. */
export interface SpendingPage {
  sums: SpendingSum[];
  next: number | null;
}

/** Reads the `charges` of one chain for reports. A page begins at a position of the log and reads at most `maxChargesPerPage` rows. */
export interface SpendingStore {
  list(options: SpendingFilter & { from?: number; limit: number }): ChargePage;
  sum(options: SpendingFilter & { from?: number; groupBy: readonly SpendingDimension[] }): SpendingPage;
}

const summed = 'log_index, payer, key_id, model, day, token, amount';

function rowOf(row: Row): ChargeRow {
  return {
    index: numberOf(row, 'log_index'),
    callId: formatCallId(bytesOf(row, 'call_id')),
    payer: row['payer'] === null ? null : hexOf(row, 'payer'),
    keyId: row['key_id'] === null ? null : textOf(row, 'key_id'),
    model: textOf(row, 'model'),
    provider: textOf(row, 'provider'),
    token: hexOf(row, 'token'),
    amount: amountOf(row, 'amount'),
    day: numberOf(row, 'day'),
    entry: bytesOf(row, 'entry'),
  };
}

function sumOf(row: Row, groupBy: readonly SpendingDimension[]): SpendingSum {
  const by = (dimension: SpendingDimension) => groupBy.includes(dimension);
  return {
    token: hexOf(row, 'token'),
    payer: by('payer') && row['payer'] !== null ? hexOf(row, 'payer') : null,
    keyId: by('key') && row['key_id'] !== null ? textOf(row, 'key_id') : null,
    model: by('model') ? textOf(row, 'model') : null,
    day: by('day') ? numberOf(row, 'day') : null,
    calls: 1,
    amount: amountOf(row, 'amount'),
  };
}

/** Adds sums of the same group together, and orders them by token and group. */
export function mergeSpending(sums: readonly SpendingSum[]): SpendingSum[] {
  const merged = new Map<string, SpendingSum>();
  for (const sum of sums) {
    const key = JSON.stringify([sum.token, sum.day, sum.payer, sum.keyId, sum.model]);
    const before = merged.get(key);
    const [calls, amount] = [(before?.calls ?? 0) + sum.calls, (before?.amount ?? 0n) + sum.amount];
    merged.set(key, { ...sum, calls, amount });
  }
  return [...merged].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sum]) => sum);
}

/** Prepares the statements once: one for each way to find charges. */
export function createSpendingStore(db: DatabaseSync, chainId: number): SpendingStore {
  function prepare(columns: string) {
    const by = (where: string) =>
      db.prepare(
        `SELECT ${columns} FROM charges WHERE ${where}log_index >= ? AND chain_id = ${chainId} ORDER BY log_index LIMIT ?`,
      );
    return { key: by('key_id = ? AND '), payer: by('payer = ? AND '), all: by('') };
  }
  const statements = { list: prepare(`${summed}, call_id, provider, entry`), sum: prepare(summed) };

  /** The rows of a page by its narrowest index; `next` counts what was read, not what passed the filter. */
  function page(what: keyof typeof statements, options: SpendingFilter & { from: number; limit: number }) {
    const { payer, keyId, sinceDay = 0, untilDay = Number.MAX_SAFE_INTEGER, from, limit } = options;
    const [by, value]: ['key' | 'payer' | 'all', SQLInputValue[]] =
      keyId !== undefined ? ['key', [keyId]] : payer !== undefined ? ['payer', [fromHex(payer, 20)]] : ['all', []];
    const read = statements[what][by].all(...value, from, limit);
    const last = read.at(-1);
    const next = last === undefined || read.length < limit ? null : numberOf(last, 'log_index') + 1;
    const rows = read.filter((row) => {
      const day = numberOf(row, 'day');
      const isOfPayer = payer === undefined || (row['payer'] !== null && hexOf(row, 'payer') === payer.toLowerCase());
      return day >= sinceDay && day <= untilDay && isOfPayer;
    });
    return { rows, next };
  }

  return {
    list({ from = 0, limit, ...filter }) {
      const { rows, next } = page('list', { ...filter, from, limit: Math.min(limit, maxChargesPerPage) });
      return { rows: rows.map(rowOf), next };
    },
    sum({ from = 0, groupBy, ...filter }) {
      const { rows, next } = page('sum', { ...filter, from, limit: maxChargesPerPage });
      return { sums: mergeSpending(rows.map((row) => sumOf(row, groupBy))), next };
    },
  };
}
