import type { DatabaseSync } from 'node:sqlite';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { formatCallId, parseCallId } from '../../protocol/receipt/call-id.ts';
import { encodeAmount } from './amount-blob.ts';
import { answersKeptMs, type AttemptRecord, type ReserveRequest, type SpendingScope } from './ledger.ts';
import type { RowCaches } from './row-cache.ts';
import { amountOf, bytesOf, hexOf, numberOf, textOf, type Row } from './rows.ts';

/** A call as the ledger holds it. */
export interface StoredCall {
  callId: string;
  channelId: Hex | null;
  paymentId: Hex | null;
  quote: bigint;
  /** The name that the client asked for. */
  model: string;
  /** The rate by which it counts in its model's budget; null if it counts in none. */
  budgetRate: bigint | null;
  /** The scopes in which it counts. */
  scopes: readonly Pick<SpendingScope, 'id' | 'window'>[];
  keyId: string | null;
  /** Until when its answer is kept, unix milliseconds; null if it is not. */
  answerUntilMs: number | null;
  admittedAtMs: number;
  state: 'reserved' | 'charged' | 'released';
}

/** Reads and writes the rows of `calls` that are of one chain: free calls are of the home chain. */
export interface CallStore {
  find(callId: string): StoredCall | undefined;
  /** The call that this voucher has admitted, the last one of several. */
  findByVoucher(channelId: Hex, cumulativeAmount: bigint): Pick<StoredCall, 'callId' | 'state'> | undefined;
  /** Lets the voucher of a released call admit another. */
  supersede(callId: string): void;
  /** Open reservations whose lease ended before `nowMs`, oldest first, at most `limit`. */
  listLapsed(nowMs: number, limit: number): StoredCall[];
  /** @throws AutoPayError `internal_error` if the id is in use. */
  insert(request: ReserveRequest): void;
  /** Lets an open reservation be of another model. */
  move(callId: string, to: { model: string; budgetRate: bigint | null }): void;
  /** Raises what an open reservation holds. */
  raise(callId: string, quote: bigint): void;
  /** Ends an open reservation: charged if `reason` is null, else released. */
  end(callId: string, how: { reason: string | null; attempts: readonly AttemptRecord[]; endedAtMs: number }): void;
}

function parseScopes(text: string): StoredCall['scopes'] {
  return (JSON.parse(text) as [string, number][]).map(([id, window]) => ({ id, window }));
}

function formatScopes(scopes: StoredCall['scopes']): string | null {
  return scopes.length === 0 ? null : JSON.stringify(scopes.map(({ id, window }) => [id, window]));
}

function callOf(row: Row): StoredCall {
  return {
    callId: formatCallId(bytesOf(row, 'call_id')),
    channelId: row['channel_id'] === null ? null : hexOf(row, 'channel_id'),
    paymentId: row['payment_id'] === null ? null : hexOf(row, 'payment_id'),
    quote: amountOf(row, 'quote'),
    model: textOf(row, 'model'),
    budgetRate: row['budget_rate'] === null ? null : amountOf(row, 'budget_rate'),
    scopes: row['scopes'] === null ? [] : parseScopes(textOf(row, 'scopes')),
    keyId: row['key_id'] === null ? null : textOf(row, 'key_id'),
    answerUntilMs: row['answer_until_ms'] === null ? null : numberOf(row, 'answer_until_ms'),
    admittedAtMs: numberOf(row, 'admitted_at_ms'),
    state: textOf(row, 'state') as StoredCall['state'],
  };
}

/** The channel that funds are of; undefined if they are of none. */
export function channelOf(funds: ReserveRequest['funds']): Hex | undefined {
  if (funds?.kind === 'voucher') return funds.voucher.channelId;
  return funds?.kind === 'key' ? funds.channelId : undefined;
}

/** The row that a reservation makes; its ids are in lower case. */
function reservedCall(request: ReserveRequest): StoredCall {
  const { callId, funds, quote, model, budget, scopes, keyId, admittedAtMs } = request;
  const isKept = request.idempotency !== null || funds?.kind === 'direct';
  return {
    ...{ callId, quote, model, keyId, admittedAtMs },
    channelId: channelOf(funds) ?? null,
    paymentId: funds?.kind === 'direct' ? (funds.payment.paymentId.toLowerCase() as Hex) : null,
    budgetRate: budget && budget.rate,
    scopes: scopes.map(({ id, window }) => ({ id, window })),
    answerUntilMs: isKept ? admittedAtMs + answersKeptMs : null,
    state: 'reserved',
  };
}

/** The most calls under way that are remembered; those beyond are read from their rows. */
const maxOpen = 8_192;

function prepare(db: DatabaseSync, chainId: number) {
  const columns =
    'call_id, channel_id, payment_id, quote, model, budget_rate, scopes, key_id, answer_until_ms, admitted_at_ms, state';
  return {
    select: db.prepare(`SELECT ${columns} FROM calls WHERE call_id = ? AND chain_id = ${chainId}`),
    selectByVoucher: db.prepare(
      'SELECT call_id, state FROM calls WHERE channel_id = ? AND voucher_cumulative = ? AND superseded = 0',
    ),
    supersede: db.prepare('UPDATE calls SET superseded = 1 WHERE call_id = ?'),
    selectLapsed: db.prepare(
      `SELECT ${columns} FROM calls WHERE state = 'reserved' AND lease_until_ms < ? AND chain_id = ${chainId} ORDER BY lease_until_ms LIMIT ?`,
    ),
    insert: db.prepare(
      `INSERT INTO calls (call_id, funds, channel_id, voucher_cumulative, payment_id, quote, model, budget_rate, scopes, key_id,
         answer_until_ms, admitted_at_ms, lease_until_ms, state, chain_id)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'reserved', ${chainId}) ON CONFLICT (call_id) DO NOTHING`,
    ),
    move: db.prepare('UPDATE calls SET model = ?, budget_rate = ? WHERE call_id = ?'),
    raise: db.prepare('UPDATE calls SET quote = ? WHERE call_id = ?'),
    end: db.prepare('UPDATE calls SET state = ?, release_reason = ?, attempts = ?, ended_at_ms = ? WHERE call_id = ?'),
  };
}

/** Prepares the statements once. */
export function createCallStore(db: DatabaseSync, chainId: number, caches: RowCaches): CallStore {
  const { select, selectByVoucher, supersede, selectLapsed, insert, move, raise, end } = prepare(db, chainId);
  // Each reservation is read once more, by its end.
  const open = new Map<string, StoredCall>();
  caches.onRollback(() => open.clear());

  return {
    find(callId) {
      const known = open.get(callId);
      if (known !== undefined) return known;
      const row = select.get(parseCallId(callId));
      return row === undefined ? undefined : callOf(row);
    },
    findByVoucher(channelId, cumulativeAmount) {
      const row = selectByVoucher.get(fromHex(channelId, 32), encodeAmount(cumulativeAmount));
      if (row === undefined) return undefined;
      return { callId: formatCallId(bytesOf(row, 'call_id')), state: textOf(row, 'state') as StoredCall['state'] };
    },
    supersede: (callId) => void supersede.run(parseCallId(callId)),
    listLapsed: (nowMs, limit) => selectLapsed.all(nowMs, limit).map(callOf),
    insert(request) {
      const { funds } = request;
      const call = reservedCall(request);
      const { callId, channelId, paymentId, budgetRate } = call;
      const { changes } = insert.run(
        parseCallId(callId),
        funds?.kind ?? 'free',
        channelId === null ? null : fromHex(channelId, 32),
        funds?.kind === 'voucher' ? encodeAmount(funds.voucher.cumulativeAmount) : null,
        paymentId === null ? null : fromHex(paymentId, 32),
        encodeAmount(call.quote),
        call.model,
        budgetRate === null ? null : encodeAmount(budgetRate),
        formatScopes(call.scopes),
        call.keyId,
        call.answerUntilMs,
        call.admittedAtMs,
        request.leaseUntilMs,
      );
      if (changes === 0) throw new AutoPayError('internal_error', `Call ${callId} has a reservation already.`);
      if (open.size < maxOpen) open.set(callId, call);
    },
    move(callId, { model, budgetRate }) {
      open.delete(callId);
      move.run(model, budgetRate === null ? null : encodeAmount(budgetRate), parseCallId(callId));
    },
    raise(callId, quote) {
      open.delete(callId);
      raise.run(encodeAmount(quote), parseCallId(callId));
    },
    end(callId, { reason, attempts, endedAtMs }) {
      open.delete(callId);
      const text = attempts.length === 0 ? null : JSON.stringify(attempts);
      end.run(reason === null ? 'charged' : 'released', reason, text, endedAtMs, parseCallId(callId));
    },
  };
}
