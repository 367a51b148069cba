import type { DatabaseSync } from 'node:sqlite';
import { fromHex, toHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { encodeAmount } from './amount-blob.ts';
import type { Collection, CollectionClaim } from './background-ledger.ts';
import type { ChannelStore } from './channel-store.ts';
import { createCollectedCharges, type CollectedCharges } from './collected-charges.ts';
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
export interface CollectionStore extends Omit<CollectedCharges, 'assign'> {
  insert(token: Hex): number;
  insertClaim(collectionId: number, claim: CollectionClaim): void;
  find(id: number): CollectionRow | undefined;
  /** A collection with its claims, skipped ones too, in the order of their channel ids. */
  read(row: CollectionRow): Collection;
  /** Collections in one state by id, after the id `after`. */
  list(state: CollectionRow['state'], page: { limit: number; after?: number }): CollectionRow[];
  markSkipped(id: number, channelId: Hex): void;
  update(row: CollectionRow): void;
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

/** Prepares the statements once. */
export function createCollectionStore(db: DatabaseSync, channels: ChannelStore): CollectionStore {
  const collected = createCollectedCharges(db);
  const insert = db.prepare(`INSERT INTO collections (token, state) VALUES (?, 'open')`);
  const insertClaim = db.prepare(
    `INSERT INTO collection_claims (collection_id, channel_id, maximum, signature, claimed, through_sequence, skipped)
     VALUES (?, ?, ?, ?, ?, ?, 0)`,
  );
  const select = db.prepare('SELECT * FROM collections WHERE collection_id = ?');
  const selectClaims = db.prepare('SELECT * FROM collection_claims WHERE collection_id = ? ORDER BY channel_id');
  const selectByState = db.prepare(
    'SELECT * FROM collections WHERE state = ? AND collection_id > ? ORDER BY collection_id LIMIT ?',
  );
  const markSkipped = db.prepare('UPDATE collection_claims SET skipped = 1 WHERE collection_id = ? AND channel_id = ?');
  const update = db.prepare(
    `UPDATE collections SET state = ?, transaction_hash = ?, booking_id = ?, booking_transaction_hash = ?
     WHERE collection_id = ?`,
  );
  const bytesOrNull = (hash: Hex | null): Buffer | null => (hash === null ? null : fromHex(hash, 32));

  return {
    ...collected,
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
      collected.assign(collectionId, channelId, throughSequence);
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
    list: (state, { limit, after = 0 }) => selectByState.all(state, after, limit).map(collectionOf),
    markSkipped(id, channelId) {
      if (markSkipped.run(id, fromHex(channelId, 32)).changes === 0) {
        throw new AutoPayError('internal_error', `Collection ${id} has no claim on channel ${channelId}.`);
      }
    },
    update({ id, state, transactionHash, bookingId, bookingTransactionHash }) {
      update.run(state, bytesOrNull(transactionHash), bookingId, bytesOrNull(bookingTransactionHash), id);
    },
  };
}
