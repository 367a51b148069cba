import type { DatabaseSync } from 'node:sqlite';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { formatCallId, parseCallId } from '../../protocol/receipt/call-id.ts';
import { encodeAmount } from './amount-blob.ts';
import type { PurchaseEnd, PurchaseMethod, PurchaseRequest, PurchaseState, StoredPurchase } from './purchase-ledger.ts';
import { amountOf, bytesOf, hexOf, numberOf, textOf, type Row } from './rows.ts';

/** Where a day's purchases are counted. */
export interface PurchaseDay {
  provider: string;
  chainId: number;
  token: Hex;
  /** Days since 1970-01-01 UTC. */
  day: number;
}

/** Reads and writes the rows of `purchases` and `purchase_days`. */
export interface PurchaseStore {
  find(purchaseId: number): (StoredPurchase & { day: number }) | undefined;
  isAttemptPaid(callId: string, attempt: number): boolean;
  /** What a call's purchases from a provider cost, or may have cost. */
  spentOnCall(callId: string, provider: string): bigint;
  isNonceUsed(place: { chainId: number; token: Hex; payer: Hex; nonce: Hex }): boolean;
  /** @returns its id */
  insert(request: PurchaseRequest, more: { day: number; cumulative: bigint | null }): number;
  update(end: PurchaseEnd): void;
  /** All, those of one call, or those of unknown cost; in the order of their ids. */
  list(options: { after: number; limit: number; callId?: string; isUnknown?: boolean }): StoredPurchase[];
  /** Of a channel, in the order of their ids. */
  listUnfinished(channelId: Hex): StoredPurchase[];
  /** Nobody waits any more for the answers of those that are open. */
  forsakeOpen(): void;
  spentOn(day: PurchaseDay): bigint;
  putSpent(day: PurchaseDay, amount: bigint): void;
}

/** Prepares the statements once. */
export function createPurchaseStore(db: DatabaseSync): PurchaseStore {
  const select = db.prepare('SELECT * FROM purchases WHERE purchase_id = ?');
  const selectAttempt = db.prepare('SELECT 1 FROM purchases WHERE call_id = ? AND attempt = ?');
  const selectSpent = db.prepare(
    'SELECT coalesce(cost, maximum) AS amount FROM purchases WHERE call_id = ? AND provider = ?',
  );
  const selectNonce = db.prepare(
    'SELECT 1 FROM purchases WHERE chain_id = ? AND token = ? AND payer = ? AND nonce = ?',
  );
  const insert = db.prepare(
    `INSERT INTO purchases (call_id, attempt, provider, method, chain_id, token, payer, payee, nonce, valid_before_seconds, channel_id,
       cumulative, maximum, state, day, opened_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', ?, ?)`,
  );
  const update = db.prepare(
    'UPDATE purchases SET state = ?, cost = ?, transaction_hash = ?, receipt = ? WHERE purchase_id = ?',
  );
  const selectAll = db.prepare('SELECT * FROM purchases WHERE purchase_id > ? ORDER BY purchase_id LIMIT ?');
  const selectCall = db.prepare(
    'SELECT * FROM purchases WHERE call_id = ? AND purchase_id > ? ORDER BY purchase_id LIMIT ?',
  );
  const selectUnknown = db.prepare(
    `SELECT * FROM purchases WHERE state = 'unknown' AND purchase_id > ? ORDER BY purchase_id LIMIT ?`,
  );
  const selectUnfinished = db.prepare(
    `SELECT * FROM purchases WHERE state IN ('open', 'unknown') AND channel_id = ? ORDER BY purchase_id`,
  );
  const forsake = db.prepare(`UPDATE purchases SET state = 'unknown' WHERE state = 'open'`);
  const selectDay = db.prepare(
    'SELECT amount FROM purchase_days WHERE provider = ? AND chain_id = ? AND token = ? AND day = ?',
  );
  const upsertDay = db.prepare(
    `INSERT INTO purchase_days (provider, chain_id, token, day, amount) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (provider, chain_id, token, day) DO UPDATE SET amount = excluded.amount`,
  );
  return {
    find(purchaseId) {
      const row = select.get(purchaseId);
      return row && { ...purchaseOf(row), day: numberOf(row, 'day') };
    },
    isAttemptPaid: (callId, attempt) => selectAttempt.get(parseCallId(callId), attempt) !== undefined,
    spentOnCall: (callId, provider) =>
      selectSpent.all(parseCallId(callId), provider).reduce((sum, row) => sum + amountOf(row, 'amount'), 0n),
    isNonceUsed: ({ chainId, token, payer, nonce }) =>
      selectNonce.get(chainId, fromHex(token, 20), fromHex(payer, 20), fromHex(nonce, 32)) !== undefined,
    insert(request, { day, cumulative }) {
      const { authority } = request;
      const signed =
        authority.kind === 'authorization'
          ? [fromHex(authority.nonce, 32), authority.validBefore, null, null]
          : [null, null, fromHex(authority.channelId, 32), encodeAmount(cumulative ?? 0n)];
      const { lastInsertRowid } = insert.run(
        ...[parseCallId(request.callId), request.attempt, request.provider, request.method, request.chainId],
        ...[fromHex(request.token, 20), fromHex(request.payer, 20), fromHex(request.payee, 20), ...signed],
        ...[encodeAmount(request.maximum), day, request.nowMs],
      );
      return Number(lastInsertRowid);
    },
    update({ purchaseId, state, cost, transactionHash, receipt }) {
      const known = state === 'void' ? 0n : cost;
      update.run(
        ...[state, known === undefined ? null : encodeAmount(known)],
        ...[transactionHash === undefined ? null : fromHex(transactionHash, 32), receipt?.encoded ?? null, purchaseId],
      );
    },
    list({ after, limit, callId, isUnknown }) {
      if (callId !== undefined) return selectCall.all(parseCallId(callId), after, limit).map(purchaseOf);
      return (isUnknown === true ? selectUnknown : selectAll).all(after, limit).map(purchaseOf);
    },
    listUnfinished: (channelId) => selectUnfinished.all(fromHex(channelId, 32)).map(purchaseOf),
    forsakeOpen: () => void forsake.run(),
    spentOn({ provider, chainId, token, day }) {
      const row = selectDay.get(provider, chainId, fromHex(token, 20), day);
      return row === undefined ? 0n : amountOf(row, 'amount');
    },
    putSpent({ provider, chainId, token, day }, amount) {
      upsertDay.run(provider, chainId, fromHex(token, 20), day, encodeAmount(amount));
    },
  };
}

function purchaseOf(row: Row): StoredPurchase {
  const ifAny = <T>(column: string, read: (row: Row, column: string) => T): T | null =>
    row[column] === null ? null : read(row, column);
  return {
    purchaseId: numberOf(row, 'purchase_id'),
    callId: formatCallId(bytesOf(row, 'call_id')),
    attempt: numberOf(row, 'attempt'),
    provider: textOf(row, 'provider'),
    method: textOf(row, 'method') as PurchaseMethod,
    chainId: numberOf(row, 'chain_id'),
    token: hexOf(row, 'token'),
    payer: hexOf(row, 'payer'),
    payee: hexOf(row, 'payee'),
    nonce: ifAny('nonce', hexOf),
    validBefore: ifAny('valid_before_seconds', numberOf),
    channelId: ifAny('channel_id', hexOf),
    cumulative: ifAny('cumulative', amountOf),
    maximum: amountOf(row, 'maximum'),
    state: textOf(row, 'state') as PurchaseState,
    cost: ifAny('cost', amountOf),
    transactionHash: ifAny('transaction_hash', hexOf),
    receipt: ifAny('receipt', textOf),
    openedAtMs: numberOf(row, 'opened_at_ms'),
  };
}
