import type { DatabaseSync } from 'node:sqlite';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { formatCallId, parseCallId } from '../../protocol/receipt/call-id.ts';
import type { Idempotency, StoredAnswer } from './ledger.ts';
import { bytesOf, hexOf, numberOf, textOf } from './rows.ts';

/** Of all answers together, headers and bodies: the oldest are forgotten before their time where there are more. */
const maxKeptBytes = 2 * 2 ** 30;

/** The call that an idempotency key stands for. */
export interface KeyedCall {
  callId: string;
  bodyDigest: Hex;
}

/** Reads and writes the rows of `idempotency` and `answers`: what is kept for those who repeat a request. */
export interface AnswerStore {
  findCall(idempotency: Pick<Idempotency, 'scope' | 'key'>): KeyedCall | undefined;
  /** Lets a key stand for a call, whatever it stood for before. */
  putCall(idempotency: Idempotency, call: { callId: string; untilMs: number }): void;
  find(callId: string): StoredAnswer | undefined;
  insert(callId: string, answer: StoredAnswer & { untilMs: number }): void;
  /**
   * Deletes what was to be kept until before `nowMs`, and answers that are too many bytes together; at most `limit` keys and answers
   * each, oldest first. Says how many. Keys outlive answers that were too many: their repeats are told so.
   */
  forget(nowMs: number, limit: number): number;
}

/** What differs from one chain's store to another's. */
export interface AnswerStoreOptions {
  /** Before each scope: a payer's keys are its own on each chain, because a call of one is not finished on another. */
  prefix?: string;
  /** Of all answers together. */
  maxBytes?: number;
}

/** Prepares the statements once. */
export function createAnswerStore(db: DatabaseSync, options: AnswerStoreOptions = {}): AnswerStore {
  const { prefix = '', maxBytes = maxKeptBytes } = options;
  const selectCall = db.prepare('SELECT call_id, body_digest FROM idempotency WHERE scope = ? AND key = ?');
  const upsertCall = db.prepare(
    `INSERT INTO idempotency (scope, key, call_id, body_digest, until_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (scope, key) DO UPDATE SET call_id = excluded.call_id, body_digest = excluded.body_digest,
       until_ms = excluded.until_ms`,
  );
  const select = db.prepare('SELECT content_type, headers, body FROM answers WHERE call_id = ?');
  const insert = db.prepare(
    'INSERT INTO answers (call_id, until_ms, content_type, headers, body) VALUES (?, ?, ?, ?, ?)',
  );
  const forgetCalls = db.prepare(
    `DELETE FROM idempotency WHERE (scope, key) IN (
       SELECT scope, key FROM idempotency WHERE until_ms < ? ORDER BY until_ms LIMIT ?)`,
  );
  const selectOldest = db.prepare(
    `SELECT answer_id, until_ms, octet_length(headers) + octet_length(body) AS bytes FROM answers ORDER BY until_ms LIMIT ?`,
  );
  const forgetAnswer = db.prepare('DELETE FROM answers WHERE answer_id = ?');
  const selectKept = db.prepare('SELECT bytes FROM kept_answers');
  const addKept = db.prepare('UPDATE kept_answers SET bytes = bytes + ?');

  function forgetAnswers(nowMs: number, limit: number): number {
    const kept = numberOf(selectKept.get() ?? {}, 'bytes');
    let [forgotten, bytes] = [0, 0];
    for (const row of selectOldest.all(limit)) {
      if (numberOf(row, 'until_ms') >= nowMs && kept - bytes <= maxBytes) break;
      forgetAnswer.run(numberOf(row, 'answer_id'));
      forgotten += 1;
      bytes += numberOf(row, 'bytes');
    }
    if (forgotten > 0) addKept.run(-bytes);
    return forgotten;
  }

  return {
    findCall({ scope, key }) {
      const row = selectCall.get(prefix + scope, key);
      if (row === undefined) return undefined;
      return { callId: formatCallId(bytesOf(row, 'call_id')), bodyDigest: hexOf(row, 'body_digest') };
    },
    putCall({ scope, key, bodyDigest }, { callId, untilMs }) {
      upsertCall.run(prefix + scope, key, parseCallId(callId), fromHex(bodyDigest, 32), untilMs);
    },
    find(callId) {
      const row = select.get(parseCallId(callId));
      if (row === undefined) return undefined;
      const headers = JSON.parse(textOf(row, 'headers')) as Record<string, string>;
      return { contentType: textOf(row, 'content_type'), headers, body: bytesOf(row, 'body') };
    },
    insert(callId, { untilMs, contentType, headers, body }) {
      const text = JSON.stringify(headers);
      insert.run(parseCallId(callId), untilMs, contentType, text, body);
      addKept.run(Buffer.byteLength(text) + body.length);
    },
    forget(nowMs, limit) {
      return Number(forgetCalls.run(nowMs, limit).changes) + forgetAnswers(nowMs, limit);
    },
  };
}
