import type { DatabaseSync } from 'node:sqlite';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { encodeAmount } from './amount-blob.ts';
import type { ChannelOnChain, ChannelState } from './ledger.ts';
import type { RowCaches } from './row-cache.ts';
import { amountOf, hexOf, numberOf, type Row } from './rows.ts';

/** Reads and writes the rows of `channels` that are of one chain. */
export interface ChannelStore {
  find(channelId: Hex): ChannelState | undefined;
  /** @throws AutoPayError `internal_error` if there is no such channel. */
  get(channelId: Hex): ChannelState;
  /** Channels by id, after `after`, at most `limit`. */
  list(after: Hex | undefined, limit: number): ChannelState[];
  /** When the first close was asked for of a channel that has charges that were not taken, or reservations; unix seconds. */
  oldestClosingDebt(): number | undefined;
  insert(channel: ChannelOnChain): void;
  /** Writes what changes when a channel is read from the chain again. */
  updateChainSide(channel: ChannelState): void;
  /**
   * Writes what calls change.
   * @throws AutoPayError `internal_error` if charges and reservations exceed what the payer signed.
   */
  updateBooks(channel: ChannelState): void;
}

function stateOf(row: Row): ChannelState {
  return {
    channelId: hexOf(row, 'channel_id'),
    payer: hexOf(row, 'payer'),
    payee: hexOf(row, 'payee'),
    token: hexOf(row, 'token'),
    salt: hexOf(row, 'salt'),
    authorizedSigner: hexOf(row, 'authorized_signer'),
    deposit: amountOf(row, 'deposit'),
    settled: amountOf(row, 'settled'),
    closeRequestedAt: numberOf(row, 'close_requested_at_seconds'),
    finalized: numberOf(row, 'finalized') === 1,
    readAtBlock: numberOf(row, 'read_at_block'),
    acceptedCumulative: amountOf(row, 'accepted_cumulative'),
    acceptedSignature: row['accepted_signature'] === null ? null : hexOf(row, 'accepted_signature'),
    charged: amountOf(row, 'charged'),
    reserved: amountOf(row, 'reserved'),
    sequence: numberOf(row, 'sequence'),
  };
}

/** Prepares the statements once. */
export function createChannelStore(db: DatabaseSync, chainId: number, caches: RowCaches): ChannelStore {
  const here = `chain_id = ${chainId}`;
  const select = db.prepare(`SELECT * FROM channels WHERE channel_id = ? AND ${here}`);
  const selectPage = db.prepare(`SELECT * FROM channels WHERE channel_id > ? AND ${here} ORDER BY channel_id LIMIT ?`);
  const selectClosingDebt = db.prepare(
    `SELECT min(close_requested_at_seconds) AS oldest FROM channels
     WHERE ${here} AND close_requested_at_seconds <> 0 AND finalized = 0 AND (charged > settled OR reserved > zeroblob(16))`,
  );
  const insert = db.prepare(
    `INSERT INTO channels (channel_id, payer, payee, token, salt, authorized_signer, deposit, settled,
       close_requested_at_seconds, finalized, read_at_block, accepted_cumulative, charged, reserved, sequence, chain_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, zeroblob(16), zeroblob(16), zeroblob(16), 0, ${chainId})`,
  );
  const update = db.prepare(
    `UPDATE channels SET deposit = ?, settled = ?, close_requested_at_seconds = ?, finalized = ?, read_at_block = ?,
       accepted_cumulative = ?, accepted_signature = ?, charged = ?, reserved = ?, sequence = ?
     WHERE channel_id = ?`,
  );
  const rows = caches.create<ChannelState>((channel) =>
    update.run(
      encodeAmount(channel.deposit),
      encodeAmount(channel.settled),
      channel.closeRequestedAt,
      channel.finalized ? 1 : 0,
      channel.readAtBlock,
      encodeAmount(channel.acceptedCumulative),
      channel.acceptedSignature === null ? null : fromHex(channel.acceptedSignature),
      encodeAmount(channel.charged),
      encodeAmount(channel.reserved),
      channel.sequence,
      fromHex(channel.channelId, 32),
    ),
  );

  function find(given: Hex): ChannelState | undefined {
    const channelId = given.toLowerCase();
    return rows.get(channelId, () => {
      const row = select.get(fromHex(channelId, 32));
      return row === undefined ? undefined : stateOf(row);
    });
  }

  return {
    find,
    get(channelId) {
      const channel = find(channelId);
      if (channel === undefined) throw new AutoPayError('internal_error', `The ledger has no channel ${channelId}.`);
      return channel;
    },
    list(after, limit) {
      return selectPage.all(after === undefined ? Buffer.alloc(0) : fromHex(after, 32), limit).map(stateOf);
    },
    oldestClosingDebt() {
      const row = selectClosingDebt.get() ?? {};
      return row['oldest'] === null ? undefined : numberOf(row, 'oldest');
    },
    insert(channel) {
      insert.run(
        fromHex(channel.channelId, 32),
        fromHex(channel.payer, 20),
        fromHex(channel.payee, 20),
        fromHex(channel.token, 20),
        fromHex(channel.salt, 32),
        fromHex(channel.authorizedSigner, 20),
        encodeAmount(channel.deposit),
        encodeAmount(channel.settled),
        channel.closeRequestedAt,
        channel.finalized ? 1 : 0,
        channel.readAtBlock,
      );
    },
    updateChainSide: (channel) => rows.put(channel.channelId, channel),
    updateBooks(channel) {
      if (channel.charged + channel.reserved > channel.acceptedCumulative) {
        throw new AutoPayError('internal_error', `Channel ${channel.channelId} would owe more than its payer signed.`);
      }
      rows.put(channel.channelId, channel);
    },
  };
}
