import type { DatabaseSync } from 'node:sqlite';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import type { SpendSum } from './background-ledger.ts';
import { amountOf, hexOf, numberOf, textOf, type Row } from './rows.ts';

/**
 * Which charges belong to which collection. Charges of nothing belong to none: there is nothing to take or to book, and
 * any number of them may stand before one that is worth something. Of the others, a channel's uncollected ones are always
 * its newest.
 */
export interface CollectedCharges {
  /**
   * Channels with uncollected charges of more than nothing that the chain would still pay: not finalized, and in no open collection. Closing
   * ones come first, then by their oldest charge.
   */
  listCollectable(): Iterable<{ channelId: Hex; token: Hex }>;
  /** The last of a channel's first `limit` uncollected charges, and how many those are. */
  lastUncollected(channelId: Hex, limit: number): { sequence: number; runningTotal: bigint; count: number } | undefined;
  /** Assigns a channel's uncollected charges up to a sequence number to a collection; those of nothing stay outside. */
  assign(collectionId: number, channelId: Uint8Array, throughSequence: number): void;
  /** Makes the charges of one claim, or of all, collectable again. */
  returnCharges(id: number, channelId?: Hex): void;
  /** Sums of the charges of a collection, and the log size that covers them. */
  sumSpends(id: number): { spends: SpendSum[]; logSize: number };
}

/** Sums charges by day, model and provider. SQLite cannot sum beyond 2^63, so the sums are made here. */
export function sumBySpend(rows: Iterable<Row>): { spends: SpendSum[]; logSize: number } {
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

/** As the index `charges_uncollected` says it, or SQLite would not use that. */
const uncollected = `collection_id IS NULL AND amount <> x'00000000000000000000000000000000'`;

/** Prepares the statements once. */
export function createCollectedCharges(db: DatabaseSync, chainId: number): CollectedCharges {
  const collectable = db.prepare(
    `SELECT channel_id, token FROM (
       SELECT channel_id, min(log_index) AS oldest FROM charges
       WHERE channel_id IS NOT NULL AND ${uncollected} GROUP BY channel_id
     ) JOIN channels USING (channel_id)
     WHERE channels.chain_id = ${chainId} AND finalized = 0 AND channel_id NOT IN (
       SELECT channel_id FROM collection_claims JOIN collections USING (collection_id) WHERE state = 'open'
     )
     ORDER BY close_requested_at_seconds = 0, oldest`,
  );
  const lastUncollected = db.prepare(
    `SELECT sequence, running_total, count(*) OVER () AS count FROM (
       SELECT sequence, running_total FROM charges
       WHERE channel_id = ? AND ${uncollected} ORDER BY sequence LIMIT ?
     ) ORDER BY sequence DESC LIMIT 1`,
  );
  const assign = db.prepare(
    `UPDATE charges SET collection_id = ? WHERE channel_id = ? AND ${uncollected} AND sequence <= ?`,
  );
  const returnClaim = db.prepare('UPDATE charges SET collection_id = NULL WHERE collection_id = ? AND channel_id = ?');
  const returnAll = db.prepare('UPDATE charges SET collection_id = NULL WHERE collection_id = ?');
  const spends = db.prepare(
    `SELECT day, model, provider, amount, log_index FROM charges WHERE collection_id = ?
     ORDER BY day, model, provider`,
  );

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
    assign(collectionId, channelId, throughSequence) {
      assign.run(collectionId, channelId, throughSequence);
    },
    returnCharges(id, channelId) {
      if (channelId === undefined) returnAll.run(id);
      else returnClaim.run(id, fromHex(channelId, 32));
    },
    sumSpends: (id) => sumBySpend(spends.iterate(id)),
  };
}
