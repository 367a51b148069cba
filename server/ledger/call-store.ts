import type { DatabaseSync } from 'node:sqlite';
import { toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { formatCallId, parseCallId } from '../../protocol/receipt/call-id.ts';
import { encodeAmount } from './amount-blob.ts';
import type { AttemptRecord, ReserveRequest } from './ledger.ts';
import { amountOf, bytesOf, numberOf, textOf, type Row } from './rows.ts';
import { fromHex } from '../../protocol/bytes/hex.ts';

/** A call as the ledger holds it. */
export interface StoredCall {
  callId: string;
  channelId: Hex | null;
  quote: bigint;
  /** The name that the client asked for. */
  model: string;
  /** The rate by which it counts in its model's budget; null if it counts in none. */
  budgetRate: bigint | null;
  admittedAtMs: number;
  state: 'reserved' | 'charged' | 'released';
}

/** Reads and writes the rows of `calls` and `attempts`. */
export interface CallStore {
  find(callId: string): StoredCall | undefined;
  /** The call that this voucher has admitted. */
  findByVoucher(channelId: Hex, cumulativeAmount: bigint): string | undefined;
  /** Open reservations whose lease ended before `nowMs`, oldest first, at most `limit`. */
  listLapsed(nowMs: number, limit: number): StoredCall[];
  insert(request: ReserveRequest): void;
  /** Ends an open reservation: charged if `reason` is null, else released. */
  end(callId: string, reason: string | null, endedAtMs: number): void;
  addAttempts(callId: string, attempts: readonly AttemptRecord[]): void;
}

function callOf(row: Row): StoredCall {
  return {
    callId: formatCallId(bytesOf(row, 'call_id')),
    channelId: row['channel_id'] === null ? null : toHex(bytesOf(row, 'channel_id')),
    quote: amountOf(row, 'quote'),
    model: textOf(row, 'model'),
    budgetRate: row['budget_rate'] === null ? null : amountOf(row, 'budget_rate'),
    admittedAtMs: numberOf(row, 'admitted_at_ms'),
    state: textOf(row, 'state') as StoredCall['state'],
  };
}

/** Prepares the statements once. */
export function createCallStore(db: DatabaseSync): CallStore {
  const columns = 'call_id, channel_id, quote, model, budget_rate, admitted_at_ms, state';
  const select = db.prepare(`SELECT ${columns} FROM calls WHERE call_id = ?`);
  const selectByVoucher = db.prepare('SELECT call_id FROM calls WHERE channel_id = ? AND voucher_cumulative = ?');
  const selectLapsed = db.prepare(
    `SELECT ${columns} FROM calls WHERE state = 'reserved' AND lease_until_ms < ? ORDER BY lease_until_ms LIMIT ?`,
  );
  const insert = db.prepare(
    `INSERT INTO calls (call_id, channel_id, voucher_cumulative, quote, model, budget_rate, admitted_at_ms, lease_until_ms, state)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'reserved')`,
  );
  const end = db.prepare('UPDATE calls SET state = ?, release_reason = ?, ended_at_ms = ? WHERE call_id = ?');
  const insertAttempt = db.prepare(
    `INSERT INTO attempts (call_id, number, provider, deployment, started_at_ms, ended_at_ms, outcome, status, usage, usage_kind)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );

  return {
    find(callId) {
      const row = select.get(parseCallId(callId));
      return row === undefined ? undefined : callOf(row);
    },
    findByVoucher(channelId, cumulativeAmount) {
      const row = selectByVoucher.get(fromHex(channelId, 32), encodeAmount(cumulativeAmount));
      return row === undefined ? undefined : formatCallId(bytesOf(row, 'call_id'));
    },
    listLapsed(nowMs, limit) {
      return selectLapsed.all(nowMs, limit).map(callOf);
    },
    insert({ callId, voucher, quote, model, budget, admittedAtMs, leaseUntilMs }) {
      insert.run(
        parseCallId(callId),
        voucher === null ? null : fromHex(voucher.channelId, 32),
        voucher === null ? null : encodeAmount(voucher.cumulativeAmount),
        encodeAmount(quote),
        model,
        budget === null ? null : encodeAmount(budget.rate),
        admittedAtMs,
        leaseUntilMs,
      );
    },
    end(callId, reason, endedAtMs) {
      end.run(reason === null ? 'charged' : 'released', reason, endedAtMs, parseCallId(callId));
    },
    addAttempts(callId, attempts) {
      for (const attempt of attempts) {
        insertAttempt.run(
          parseCallId(callId),
          attempt.number,
          attempt.provider,
          attempt.deployment,
          attempt.startedAtMs,
          attempt.endedAtMs,
          attempt.outcome,
          attempt.status,
          attempt.usage === null ? null : JSON.stringify(attempt.usage),
          attempt.usageKind,
        );
      }
    },
  };
}
