import type { DatabaseSync } from 'node:sqlite';
import { fromHex, zeroAddress, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { parseCallId } from '../../protocol/receipt/call-id.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../../protocol/receipt/decode-receipt.ts';
import type { SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { encodeAmount } from './amount-blob.ts';
import type { LoggedCharge } from './background-ledger.ts';
import { batchPaths } from './batch-paths.ts';
import type { PendingCharge } from './group-context.ts';
import type { LogEnd, LogEndState } from './log-end.ts';
import { amountOf, bytesOf, numberOf, type Row } from './rows.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;

/** The signature over the receipts of one commit and chain. */
export interface ReceiptBatchRow {
  batchId: number;
  root: Uint8Array;
  size: number;
  signedAtMs: number;
  signature: Uint8Array;
}

/** Reads the rows of `charges` and `receipt_batches`. */
export interface ChargeReader {
  /** A durable receipt with its path, rebuilt from the leaf hashes of its batch. */
  find(callId: string): { receipt: CallReceipt; signed: SignedReceipt } | undefined;
  findBySequence(channelId: Hex, sequence: number): LoggedCharge | undefined;
  /** A channel's newest charge below a position of the log. */
  findLast(channelId: Hex, belowIndex: number): LoggedCharge | undefined;
}

/** Writes those of one chain besides. */
export interface ChargeStore extends ChargeReader {
  nextBatchId(): number;
  insert(charge: PendingCharge, place: { batchId: number; batchIndex: number }): void;
  /** The batch's charges MUST have been inserted. */
  insertBatch(batch: ReceiptBatchRow): void;
  /** Number of charges: the size of the log. */
  count(): number;
}

function loggedCharge(row: Row | undefined): LoggedCharge | undefined {
  if (row === undefined) return undefined;
  return {
    index: numberOf(row, 'log_index'),
    sequence: numberOf(row, 'sequence'),
    runningTotal: amountOf(row, 'running_total'),
    leafHash: bytesOf(row, 'leaf_hash'),
    entry: bytesOf(row, 'entry'),
  };
}

/** Prepares the statements once. */
export function createChargeReader(db: DatabaseSync): ChargeReader {
  const select = db.prepare(
    `SELECT entry, batch_id, batch_index, request_salt, response_salt, signed_at_ms, signature
     FROM charges JOIN receipt_batches USING (batch_id) WHERE call_id = ?`,
  );
  const logged = 'SELECT log_index, sequence, running_total, leaf_hash, entry FROM charges WHERE channel_id = ?';
  const bySequence = db.prepare(`${logged} AND sequence = ?`);
  // Sequence and log index of a channel grow together: this steps over what is not below, and no further.
  const lastBelow = db.prepare(`${logged} AND log_index < ? ORDER BY sequence DESC LIMIT 1`);
  const selectLeaves = db.prepare('SELECT leaf_hash FROM charges WHERE batch_id = ? ORDER BY batch_index');

  return {
    findBySequence: (channelId, sequence) => loggedCharge(bySequence.get(fromHex(channelId, 32), sequence)),
    findLast: (channelId, belowIndex) => loggedCharge(lastBelow.get(fromHex(channelId, 32), belowIndex)),
    find(callId) {
      const row = select.get(parseCallId(callId));
      if (row === undefined) return undefined;
      const entry = bytesOf(row, 'entry');
      const leafHashes = selectLeaves.all(numberOf(row, 'batch_id')).map((leaf) => bytesOf(leaf, 'leaf_hash'));
      const index = numberOf(row, 'batch_index');
      const path = batchPaths(leafHashes).paths[index];
      if (path === undefined) throw new AutoPayError('internal_error', `The batch of call ${callId} is incomplete.`);
      const signed: SignedReceipt = {
        entry,
        index,
        size: leafHashes.length,
        signedAtMs: numberOf(row, 'signed_at_ms'),
        path,
        signature: bytesOf(row, 'signature'),
        requestSalt: bytesOf(row, 'request_salt'),
        responseSalt: bytesOf(row, 'response_salt'),
      };
      return { receipt: decodeReceipt(entry), signed };
    },
  };
}

/** Prepares the statements once. */
export function createChargeStore(db: DatabaseSync, chainId: number, logEnd: LogEnd): ChargeStore {
  const insert = db.prepare(
    `INSERT INTO charges (log_index, call_id, channel_id, sequence, amount, running_total, token, day, model, provider,
       payer, key_id, batch_id, batch_index, leaf_hash, request_salt, response_salt, entry, chain_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${chainId})`,
  );
  const insertBatch = db.prepare(
    `INSERT INTO receipt_batches (batch_id, root, size, signed_at_ms, signature, chain_id) VALUES (?, ?, ?, ?, ?, ${chainId})`,
  );
  const markHour = db.prepare('INSERT INTO log_hours (first_index, hour) VALUES (?, ?)');

  /** By the time of the charge: that of its batch may be of the next hour. */
  function noteHour({ hour, size }: LogEndState, chargedAtMs: number): number {
    const charged = Math.floor(chargedAtMs / hourMs);
    if (charged !== hour) markHour.run(size, charged);
    return charged;
  }

  return {
    ...createChargeReader(db),
    nextBatchId: () => logEnd.get().nextBatchId,
    count: () => logEnd.get().size,
    insert({ receipt, entry, leafHash, requestSalt, responseSalt, keyId }, { batchId, batchIndex }) {
      const end = logEnd.get();
      insert.run(
        end.size,
        parseCallId(receipt.callId),
        receipt.sequence === 0 ? null : fromHex(receipt.channelId, 32),
        receipt.sequence,
        encodeAmount(receipt.amount),
        encodeAmount(receipt.runningTotal),
        fromHex(receipt.token, 20),
        Math.floor(receipt.admittedAtMs / dayMs),
        receipt.modelAsked,
        receipt.provider,
        receipt.payer === zeroAddress ? null : fromHex(receipt.payer, 20),
        keyId,
        batchId,
        batchIndex,
        leafHash,
        requestSalt,
        responseSalt,
        entry,
      );
      end.hour = noteHour(end, receipt.chargedAtMs);
      end.size += 1;
    },
    insertBatch({ batchId, root, size, signedAtMs, signature }) {
      insertBatch.run(batchId, root, size, signedAtMs, signature);
      logEnd.get().nextBatchId = batchId + 1;
    },
  };
}
