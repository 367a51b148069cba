import type { DatabaseSync } from 'node:sqlite';
import { isCallId, parseCallId } from '../../../protocol/receipt/call-id.ts';
import { bytesOf, numberOf } from '../rows.ts';
import {
  maxEntriesListed,
  type BookingPiece,
  type BookingQuery,
  type CallPiece,
  type CallQuery,
  type EntryPiece,
  type FoundCall,
  type FoundLeaf,
} from './audit-queries.ts';
import { describeCall, describeEntry, writeCallCsv, writeJson } from './describe-call.ts';
import { createCallFinder } from './find-call.ts';
import { createBookingLister } from './list-bookings.ts';
import { createCallLister } from './list-calls.ts';

/** What the reader thread answers, by name; each takes one argument. */
export interface QuestionTable {
  listCalls(query: CallQuery): CallPiece;
  findCall(callId: string): FoundCall | undefined;
  listBookings(query: BookingQuery): BookingPiece;
  listEntries(range: { from: number; limit: number }): EntryPiece;
  findLeaf(entry: { index: number } | { callId: string }): FoundLeaf | undefined;
}

/** Prepares what can be asked of a ledger file. */
export function createQuestionTable(db: DatabaseSync): QuestionTable {
  const listCalls = createCallLister(db);
  const selectEntries = db.prepare(
    'SELECT log_index, call_id, entry, leaf_hash FROM charges WHERE log_index >= ? ORDER BY log_index LIMIT ?',
  );
  const leafByIndex = db.prepare('SELECT log_index, leaf_hash FROM charges WHERE log_index = ?');
  const leafByCall = db.prepare('SELECT log_index, leaf_hash FROM charges WHERE call_id = ?');
  return {
    listCalls({ format, ...query }) {
      const { rows, next, size } = listCalls(query);
      const calls = rows.map(describeCall);
      const lines = calls.map((call) => (format === 'csv' ? writeCallCsv(call) : `${writeJson(call)}\n`));
      return { text: lines.join(''), count: calls.length, next, size };
    },
    findCall: createCallFinder(db),
    listBookings: createBookingLister(db),
    listEntries({ from, limit }) {
      const rows = selectEntries.all(from, Math.min(limit, maxEntriesListed));
      return { text: rows.map((row) => `${writeJson(describeEntry(row))}\n`).join(''), count: rows.length };
    },
    findLeaf(entry) {
      if ('callId' in entry && !isCallId(entry.callId)) return undefined;
      const row = 'index' in entry ? leafByIndex.get(entry.index) : leafByCall.get(parseCallId(entry.callId));
      return row && { index: numberOf(row, 'log_index'), leafHash: bytesOf(row, 'leaf_hash') };
    },
  };
}
