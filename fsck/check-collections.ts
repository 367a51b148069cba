import type { Hex } from '../protocol/bytes/hex.ts';
import { Differences, type Claim } from './claims.ts';
import type { Books } from './open-books.ts';
import { claimEnd, type ChargeFacts } from './scan-charges.ts';

/** One channel's part of a collection. */
export interface ClaimRow {
  collectionId: number;
  state: string;
  channelId: Hex;
  claimed: bigint;
  maximum: bigint;
  throughSequence: number;
  skipped: boolean;
}

/** A collection. */
export interface CollectionRow {
  id: number;
  /** `channels`, or `payments` that were taken one by one. */
  source: string;
  token: Hex;
  state: string;
  transactionHash: Hex | null;
  bookingTransactionHash: Hex | null;
}

/** What the ledger says of collections. */
export interface CollectionRows {
  collections: CollectionRow[];
  claims: ClaimRow[];
  /** Where `scanCharges` is to note running totals. */
  claimEnds: Set<string>;
}

/** Reads collections and their claims. */
export function readCollections(books: Books): CollectionRows {
  const collections = [...books.rows('SELECT * FROM collections ORDER BY collection_id')].map((row) => ({
    id: row.number('collection_id'),
    source: row.text('source'),
    token: row.hex('token'),
    state: row.text('state'),
    transactionHash: row.hexOrNull('transaction_hash'),
    bookingTransactionHash: row.hexOrNull('booking_transaction_hash'),
  }));
  const sql =
    'SELECT * FROM collection_claims JOIN collections USING (collection_id) ORDER BY collection_id, channel_id';
  const claims = [...books.rows(sql)].map((row) => ({
    collectionId: row.number('collection_id'),
    state: row.text('state'),
    channelId: row.hex('channel_id'),
    claimed: row.amount('claimed'),
    maximum: row.amount('maximum'),
    throughSequence: row.number('through_sequence'),
    skipped: row.number('skipped') === 1,
  }));
  const claimEnds = new Set(claims.map((claim) => claimEnd(claim.channelId, claim.throughSequence)));
  return { collections, claims, claimEnds };
}

/** Whether a claim's money has arrived, as the ledger knows. */
export function isTaken(claim: ClaimRow): boolean {
  return !claim.skipped && (claim.state === 'collected' || claim.state === 'booked');
}

/** What each claim takes is what the receipts up to its end add up to, and what a channel paid is what its collections cover. */
export function checkCollections(books: Books, rows: CollectionRows, facts: ChargeFacts): Claim {
  const differences = new Differences();
  const taken = new Map<Hex, bigint>();
  for (const claim of rows.claims) {
    const { collectionId, channelId, throughSequence, claimed, maximum } = claim;
    const name = `the claim of collection ${collectionId} on channel ${channelId}`;
    // A channel may be closed before it was ever charged.
    const total = throughSequence === 0 ? 0n : facts.channels.get(channelId)?.totalAt.get(throughSequence);
    differences.require(
      total === claimed,
      () => `${name} is ${claimed}, and the receipts up to ${throughSequence} add up to ${total ?? 'nothing'}`,
    );
    differences.require(claimed <= maximum, () => `${name} is above its voucher`);
    if (isTaken(claim) && claimed > (taken.get(channelId) ?? 0n)) taken.set(channelId, claimed);
  }
  // Collected charges, channel by channel, must be exactly those that the taken claims cover.
  const covered = new Map<Hex, bigint>();
  const sql = `SELECT channel_id, amount FROM charges JOIN collections USING (collection_id) WHERE state IN ('collected', 'booked')`;
  for (const row of books.rows(sql)) {
    const channelId = row.hex('channel_id');
    covered.set(channelId, (covered.get(channelId) ?? 0n) + row.amount('amount'));
  }
  for (const channelId of new Set([...taken.keys(), ...covered.keys()])) {
    const [paid, sum] = [taken.get(channelId) ?? 0n, covered.get(channelId) ?? 0n];
    differences.require(
      paid === sum,
      () => `channel ${channelId} paid ${paid}, and its collected charges add up to ${sum}`,
    );
  }
  const total = [...taken.values()].reduce((sum, amount) => sum + amount, 0n);
  return differences.toClaim(
    'collections_cover_charges',
    `${rows.collections.length} collections with ${rows.claims.length} claims took ${total}, the sum of the charges that they cover`,
  );
}
