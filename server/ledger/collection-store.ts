import type { DatabaseSync } from 'node:sqlite';
import { fromHex, toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { encodeAmount } from './amount-blob.ts';
import type { Collection, CollectionClaim, SpendSum } from './background-ledger.ts';
import type { ChannelStore } from './channel-store.ts';
import { amountOf, bytesOf, hexOf, numberOf, textOf, type Row } from './rows.ts';

/** A row of `collections`. */
export interface CollectionRow {
  id: number;
  token: Hex;
  state: 'open' | 'abandoned' | 'collected' | 'booked';
  transactionHash: Hex | null;
  bookingId: string | null;
  bookingTransactionHash: Hex | null;
}

/** Reads and writes the rows of `collections` and `collection_claims`, and which charges belong to which. */
export interface CollectionStore {
  /**
   * Channels with uncollected charges that the chain would still pay: not finalized, and in no open collection. Closing
   * ones come first, then by their oldest charge.
   */
  listCollectable(): Iterable<{ channelId: Hex; token: Hex }>;
  /** The last of a channel's first `limit` uncollected charges, and how many those are. */
  lastUncollected(channelId: Hex, limit: number): { sequence: number; runningTotal: bigint; count: number } | undefined;
  insert(token: Hex): number;
  insertClaim(collectionId: number, claim: CollectionClaim): void;
  find(id: number): CollectionRow | undefined;
  /** A collection with its claims, skipped ones too, in the order of their channel ids. */
  read(row: CollectionRow): Collection;
  list(state: CollectionRow['state'], limit: number): CollectionRow[];
  markSkipped(id: number, channelId: Hex): void;
  update(row: CollectionRow): void;
  /** Makes the charges of one claim, or of all, collectable again. */
  returnCharges(id: number, channelId?: Hex): void;
  /** Sums of the charges of a collection, and the log size that covers them. */
  sumSpends(id: number): { spends: SpendSum[]; logSize: number };
}

function collectionOf(row: Row): CollectionRow {
  const optional = (column: string): Hex | null => (row[column] === null ? null : toHex(bytesOf(row, column)));
  return {
    id: numberOf(row, 'collection_id'),
    token: hexOf(row, 'token'),
    state: textOf(row, 'state') as CollectionRow['state'],
    transactionHash: optional('transaction_hash'),
    bookingId: row['booking_id'] === null ? null : textOf(row, 'booking_id'),
    bookingTransactionHash: optional('booking_transaction_hash'),
  };
}

/** SQLite cannot sum beyond 2^63, so the sums are made here. */
function sumBySpend(rows: Iterable<Row>): { spends: SpendSum[]; logSize: number } {
  const sums = new Map<string, SpendSum>();
  let logSize = 0;
  for (const row of rows) {
    const day = numberOf(row, 'day');
    const model = textOf(row, 'model');
    const provider = textOf(row, 'provider');
    const key = JSON.stringify([day, model, provider]);
    const before = sums.get(key)?.amount ?? 0n;
    sums.set(key, { day, model, provider, amount: before + amountOf(row, 'amount') });
    logSize = Math.max(logSize, numberOf(row, 'log_index') + 1);
  }
  return { spends: [...sums.values()].filter((spend) => spend.amount > 0n), logSize };
}

/** Prepares the statements once. */
export function createCollectionStore(db: DatabaseSync, channels: ChannelStore): CollectionStore {
  const collectable = db.prepare(
    `SELECT channel_id, token FROM (
       SELECT channel_id, min(log_index) AS oldest FROM charges
       WHERE channel_id IS NOT NULL AND collection_id IS NULL GROUP BY channel_id
     ) JOIN channels USING (channel_id)
     WHERE finalized = 0 AND channel_id NOT IN (
       SELECT channel_id FROM collection_claims JOIN collections USING (collection_id) WHERE state = 'open'
     )
     ORDER BY close_requested_at_seconds = 0, oldest`,
  );
  const lastUncollected = db.prepare(
    `SELECT sequence, running_total, count(*) OVER () AS count FROM (
       SELECT sequence, running_total FROM charges
       WHERE channel_id = ? AND collection_id IS NULL ORDER BY sequence LIMIT ?
     ) ORDER BY sequence DESC LIMIT 1`,
  );
  const insert = db.prepare(`INSERT INTO collections (token, state) VALUES (?, 'open')`);
  const insertClaim = db.prepare(
    `INSERT INTO collection_claims (collection_id, channel_id, maximum, signature, claimed, through_sequence, skipped)
     VALUES (?, ?, ?, ?, ?, ?, 0)`,
  );
  const assign = db.prepare(
    'UPDATE charges SET collection_id = ? WHERE channel_id = ? AND collection_id IS NULL AND sequence <= ?',
  );
  const select = db.prepare('SELECT * FROM collections WHERE collection_id = ?');
  const selectClaims = db.prepare('SELECT * FROM collection_claims WHERE collection_id = ? ORDER BY channel_id');
  const selectByState = db.prepare('SELECT * FROM collections WHERE state = ? ORDER BY collection_id LIMIT ?');
  const markSkipped = db.prepare('UPDATE collection_claims SET skipped = 1 WHERE collection_id = ? AND channel_id = ?');
  const update = db.prepare(
    `UPDATE collections SET state = ?, transaction_hash = ?, booking_id = ?, booking_transaction_hash = ?
     WHERE collection_id = ?`,
  );
  const returnClaim = db.prepare('UPDATE charges SET collection_id = NULL WHERE collection_id = ? AND channel_id = ?');
  const returnAll = db.prepare('UPDATE charges SET collection_id = NULL WHERE collection_id = ?');
  const spends = db.prepare(
    `SELECT day, model, provider, amount, log_index FROM charges WHERE collection_id = ?
     ORDER BY day, model, provider`,
  );
  const bytesOrNull = (hash: Hex | null): Buffer | null => (hash === null ? null : fromHex(hash, 32));

  return {
    *listCollectable() {
      for (const row of collectable.iterate())
        yield { channelId: hexOf(row, 'channel_id'), token: hexOf(row, 'token') };
    },
    lastUncollected(channelId, limit) {
      const row = lastUncollected.get(fromHex(channelId, 32), limit);
      if (row === undefined) return undefined;
      const runningTotal = amountOf(row, 'running_total');
      return { sequence: numberOf(row, 'sequence'), runningTotal, count: numberOf(row, 'count') };
    },
    insert: (token) => Number(insert.run(fromHex(token, 20)).lastInsertRowid),
    insertClaim(collectionId, { channel, maximum, signature, claimed, throughSequence }) {
      const channelId = fromHex(channel.channelId, 32);
      insertClaim.run(
        collectionId,
        channelId,
        encodeAmount(maximum),
        fromHex(signature),
        encodeAmount(claimed),
        throughSequence,
      );
      assign.run(collectionId, channelId, throughSequence);
    },
    find(id) {
      const row = select.get(id);
      return row === undefined ? undefined : collectionOf(row);
    },
    read({ id, token }) {
      const claims = selectClaims.all(id).map((row) => ({
        channel: channels.get(hexOf(row, 'channel_id')),
        maximum: amountOf(row, 'maximum'),
        signature: hexOf(row, 'signature'),
        claimed: amountOf(row, 'claimed'),
        throughSequence: numberOf(row, 'through_sequence'),
      }));
      return { id, token, claims };
    },
    list: (state, limit) => selectByState.all(state, limit).map(collectionOf),
    markSkipped(id, channelId) {
      if (markSkipped.run(id, fromHex(channelId, 32)).changes === 0) {
        throw new AutoPayError('internal_error', `Collection ${id} has no claim on channel ${channelId}.`);
      }
    },
    update({ id, state, transactionHash, bookingId, bookingTransactionHash }) {
      update.run(state, bytesOrNull(transactionHash), bookingId, bytesOrNull(bookingTransactionHash), id);
    },
    returnCharges(id, channelId) {
      if (channelId === undefined) returnAll.run(id);
      else returnClaim.run(id, fromHex(channelId, 32));
    },
    sumSpends: (id) => sumBySpend(spends.iterate(id)),
  };
}
