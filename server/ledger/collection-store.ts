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
  /** Claims on channels, or direct payments that were taken one by one. */
  source: 'channels' | 'payments';
  token: Hex;
  state: 'open' | 'abandoned' | 'collected' | 'booked';
  transactionHash: Hex | null;
  bookingId: string | null;
  bookingTransactionHash: Hex | null;
  /** Whether its one channel is closed by it. */
  closes: boolean;
}

/** What the claims on a channel tell of it, whatever became of their collections. */
interface ClaimHistory {
  /** Whether a voucher of this amount has been put on the chain, or is about to be: then its signature is everybody's. */
  isPublished(channelId: Hex, cumulativeAmount: bigint): boolean;
  /** The transaction that closed a channel for its payer; undefined if none did. */
  findClosing(channelId: Hex): Hex | undefined;
  /** What a channel was settled to by other collections than this one. */
  settledBeside(id: number, channelId: Hex): bigint;
}

/** Reads and writes the rows of `collections` and `collection_claims` on one chain, and which charges belong to which. */
export interface CollectionStore extends Omit<CollectedCharges, 'assign'>, ClaimHistory {
  /** A new collection: open for channels, and collected for payments, which have been taken. */
  insert(row: Pick<CollectionRow, 'source' | 'token'> & Partial<Pick<CollectionRow, 'closes'>>): number;
  insertClaim(collectionId: number, claim: CollectionClaim): void;
  find(id: number): CollectionRow | undefined;
  /** The open collection that has a claim on a channel: there is one at a time. */
  findOpen(channelId: Hex): CollectionRow | undefined;
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
    source: textOf(row, 'source') as CollectionRow['source'],
    token: hexOf(row, 'token'),
    state: textOf(row, 'state') as CollectionRow['state'],
    transactionHash: optional('transaction_hash'),
    bookingId: row['booking_id'] === null ? null : textOf(row, 'booking_id'),
    bookingTransactionHash: optional('booking_transaction_hash'),
    closes: numberOf(row, 'closes') === 1,
  };
}

function createClaimHistory(db: DatabaseSync): ClaimHistory {
  const selectClosing = db.prepare(
    `SELECT transaction_hash FROM collection_claims JOIN collections USING (collection_id)
     WHERE channel_id = ? AND closes = 1 AND skipped = 0 AND transaction_hash IS NOT NULL ORDER BY collection_id DESC LIMIT 1`,
  );
  const selectPublished = db.prepare('SELECT 1 FROM collection_claims WHERE channel_id = ? AND maximum = ? LIMIT 1');
  const selectSettled = db.prepare(
    `SELECT ifnull(max(claimed), zeroblob(16)) AS claimed FROM collection_claims JOIN collections USING (collection_id)
     WHERE channel_id = ? AND collection_id <> ? AND skipped = 0 AND state IN ('collected', 'booked')`,
  );
  return {
    isPublished: (channelId, cumulativeAmount) =>
      selectPublished.get(fromHex(channelId, 32), encodeAmount(cumulativeAmount)) !== undefined,
    findClosing(channelId) {
      const row = selectClosing.get(fromHex(channelId, 32));
      return row === undefined ? undefined : hexOf(row, 'transaction_hash');
    },
    settledBeside: (id, channelId) => amountOf(selectSettled.get(fromHex(channelId, 32), id) ?? {}, 'claimed'),
  };
}

/** Prepares the statements once. */
export function createCollectionStore(db: DatabaseSync, channels: ChannelStore, chainId: number): CollectionStore {
  const collected = createCollectedCharges(db, chainId);
  const insert = db.prepare(
    `INSERT INTO collections (chain_id, source, token, state, closes) VALUES (${chainId}, ?, ?, ?, ?)`,
  );
  const insertClaim = db.prepare(
    `INSERT INTO collection_claims (collection_id, channel_id, maximum, signature, claimed, through_sequence, skipped)
     VALUES (?, ?, ?, ?, ?, ?, 0)`,
  );
  const select = db.prepare(`SELECT * FROM collections WHERE collection_id = ? AND chain_id = ${chainId}`);
  const selectClaims = db.prepare('SELECT * FROM collection_claims WHERE collection_id = ? ORDER BY channel_id');
  const selectOpen = db.prepare(
    `SELECT collections.* FROM collection_claims JOIN collections USING (collection_id)
     WHERE state = 'open' AND channel_id = ? LIMIT 1`,
  );
  const selectByState = db.prepare(
    `SELECT * FROM collections WHERE state = ? AND collection_id > ? AND chain_id = ${chainId} ORDER BY collection_id LIMIT ?`,
  );
  const markSkipped = db.prepare('UPDATE collection_claims SET skipped = 1 WHERE collection_id = ? AND channel_id = ?');
  const update = db.prepare(
    `UPDATE collections SET state = ?, transaction_hash = ?, booking_id = ?, booking_transaction_hash = ?
     WHERE collection_id = ?`,
  );
  const bytesOrNull = (hash: Hex | null): Buffer | null => (hash === null ? null : fromHex(hash, 32));

  return {
    ...collected,
    ...createClaimHistory(db),
    insert({ source, token, closes = false }) {
      const state = source === 'channels' ? 'open' : 'collected';
      return Number(insert.run(source, fromHex(token, 20), state, closes ? 1 : 0).lastInsertRowid);
    },
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
    findOpen(channelId) {
      const row = selectOpen.get(fromHex(channelId, 32));
      return row === undefined ? undefined : collectionOf(row);
    },
    read({ id, token, closes }) {
      const claims = selectClaims.all(id).map((row) => ({
        channel: channels.get(hexOf(row, 'channel_id')),
        maximum: amountOf(row, 'maximum'),
        signature: hexOf(row, 'signature'),
        claimed: amountOf(row, 'claimed'),
        throughSequence: numberOf(row, 'through_sequence'),
      }));
      return { id, token, closes, claims };
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
