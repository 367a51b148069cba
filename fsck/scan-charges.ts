import { toHex, zeroAddress, zeroBytes32, type Hex } from '../protocol/bytes/hex.ts';
import { Frontier } from '../protocol/merkle/frontier.ts';
import { hashLeaf } from '../protocol/merkle/hashes.ts';
import { formatCallId } from '../protocol/receipt/call-id.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { createPriceCheck, type ConvertedCharge, type TableUse } from './check-prices.ts';
import { Differences, type Claim } from './claims.ts';
import type { Books, Row } from './open-books.ts';
import type { Settings } from './read-settings.ts';

/** What the receipts of one channel add up to. */
export interface ChannelSum {
  charged: bigint;
  sequence: number;
  /** Running total at each sequence number in `claimEnds`. */
  totalAt: Map<number, bigint>;
}

/** What one pass over the charges found. */
export interface ChargeFacts {
  claims: Claim[];
  /** Leaf hashes by log index. */
  leafHashes: Uint8Array[];
  channels: Map<Hex, ChannelSum>;
  /** By collection, then by `spendKey`. */
  spends: Map<number, Map<string, bigint>>;
  /** Largest log index of each collection, plus one. */
  logSizes: Map<number, number>;
  /** Positions in `leafHashes` of each receipt batch, in the order of the batch. */
  batches: Map<number, number[]>;
  /** Charges whose prices were in US dollars, which need the chain to be checked. */
  converted: readonly ConvertedCharge[];
  /** By root: each price table that something was charged under. */
  tables: ReadonlyMap<Hex, TableUse>;
  /** Roots and frontiers at the sizes that were asked for. */
  trees: Map<number, Frontier>;
}

/** What one pass found: of the log, and of what was paid on each chain. */
export interface LogFacts extends Pick<ChargeFacts, 'claims' | 'leafHashes' | 'trees'> {
  /** By chain id; leaf hashes and trees are those of the one log. */
  chains: ReadonlyMap<number, ChargeFacts>;
}

/** Names a (day, model, provider) as receipts do. */
export function spendKey(spend: { day: number; model: string; provider: string }): string {
  return JSON.stringify([spend.day, spend.model, spend.provider]);
}

/** Names a receipt of a channel that a claim ends at. */
export function claimEnd(channelId: Hex, sequence: number): string {
  return `${channelId}/${sequence}`;
}

/** What a pass is asked for. */
export interface ScanOptions {
  treesAt: ReadonlySet<number>;
  claimEnds: ReadonlySet<string>;
  /** Of each chain. */
  settings: readonly Settings[];
}

/** A charge's row, and what its entry says. */
interface Charge {
  row: Row;
  index: number;
  receipt: CallReceipt;
}

const dayMs = 86_400_000;

/**
 * Reads every charge once, in the order of the log, and recomputes from the entries (not from the columns beside them)
 * what the rest of the check needs.
 * @param options.treesAt log sizes whose trees are wanted.
 * @param options.claimEnds where running totals are wanted, by `claimEnd`.
 */
export function scanCharges(books: Books, options: ScanOptions): LogFacts {
  const log: Pick<ChargeFacts, 'leafHashes' | 'trees'> = { leafHashes: [], trees: new Map() };
  const chains = new Map(options.settings.map((settings) => [settings.chainId, openChain(settings, log)]));
  const decoding = new Differences();
  const sequences = new Differences();
  const limits = new Differences();
  const tree = new Frontier();
  const rows = books.rows(
    `SELECT charges.*, calls.quote, calls.state, calls.admitted_at_ms, calls.channel_id AS call_channel_id, calls.payment_id,
       calls.key_id AS call_key_id, coalesce(charges.collection_id, direct_payments.collection_id) AS booked_with
     FROM charges LEFT JOIN calls USING (call_id) LEFT JOIN direct_payments USING (payment_id) ORDER BY log_index`,
  );
  for (const row of rows) {
    const index = log.leafHashes.length;
    const entry = row.bytes('entry');
    const leafHash = hashLeaf(entry);
    log.leafHashes.push(leafHash);
    tree.append(leafHash);
    if (options.treesAt.has(tree.size)) log.trees.set(tree.size, tree.clone());
    const chain = row.isNull('chain_id') ? undefined : chains.get(row.number('chain_id'));
    if (chain === undefined) {
      decoding.add(`entry ${index} is of a chain that the configuration does not name`);
      continue;
    }
    const { facts, prices } = chain;
    noteBatch(facts, row, index);
    try {
      const charge = { row, index, receipt: decodeReceipt(entry) };
      compareRow(charge, leafHash, decoding);
      addToChannel({ facts, claimEnds: options.claimEnds, differences: sequences }, charge);
      compareCall(charge, limits);
      prices.check({ index, receipt: charge.receipt, quote: row.isNull('quote') ? null : row.amount('quote') });
      addToCollection(facts, charge);
    } catch (error) {
      decoding.add(`entry ${index}: ${error instanceof Error ? error.message : 'unreadable'}`);
    }
  }
  const count = log.leafHashes.length;
  const channelCount = [...chains.values()].reduce((sum, { facts }) => sum + facts.channels.size, 0);
  const claims = [
    decoding.toClaim(
      'receipts_decode',
      `${count} log entries decode as canonical CallReceipts and say what their rows say; log indexes are dense`,
    ),
    sequences.toClaim(
      'receipts_chain',
      `the receipts of ${channelCount} channels have gap-free sequence numbers and running totals that add up`,
    ),
    limits.toClaim(
      'charges_within_reservations',
      `each of ${count} charges ends one call and is not above its reservation`,
    ),
  ];
  for (const { facts, prices } of chains.values()) facts.claims.push(prices.toClaim());
  return { ...log, claims, chains: new Map([...chains].map(([chainId, { facts }]) => [chainId, facts])) };
}

/** What is found of one chain, and the prices there. */
function openChain(settings: Settings, log: Pick<ChargeFacts, 'leafHashes' | 'trees'>) {
  const prices = createPriceCheck(settings);
  const facts: ChargeFacts = {
    ...{ ...log, claims: [], converted: prices.converted, tables: prices.tables },
    ...{ channels: new Map(), spends: new Map(), logSizes: new Map(), batches: new Map() },
  };
  return { facts, prices };
}

function compareRow({ row, index, receipt }: Charge, leafHash: Uint8Array, differences: Differences): void {
  const differs = (what: string) => `entry ${index}: its row has another ${what}`;
  const pairs: [string, unknown, unknown][] = [
    ['log index', row.number('log_index'), index],
    ['call id', formatCallId(row.bytes('call_id')), receipt.callId],
    ['channel', row.hexOrNull('channel_id') ?? zeroBytes32, receipt.channelId],
    ['sequence number', row.number('sequence'), receipt.sequence],
    ['amount', row.amount('amount'), receipt.amount],
    ['running total', row.amount('running_total'), receipt.runningTotal],
    ['token', row.hex('token'), receipt.token],
    ['day', row.number('day'), Math.floor(receipt.admittedAtMs / dayMs)],
    ['model', row.text('model'), receipt.modelAsked],
    ['provider', row.text('provider'), receipt.provider],
    ['payer', row.hexOrNull('payer') ?? zeroAddress, receipt.payer],
    ['leaf hash', row.hex('leaf_hash'), toHex(leafHash)],
  ];
  for (const [what, stored, said] of pairs) differences.require(stored === said, () => differs(what));
}

function addToChannel(
  { facts, claimEnds, differences }: { facts: ChargeFacts; claimEnds: ReadonlySet<string>; differences: Differences },
  { row, index, receipt }: Charge,
): void {
  if (receipt.channelId === zeroBytes32) {
    // Who paid directly is checked payment by payment.
    const isPaid = !row.isNull('payment_id');
    const isOutside = receipt.sequence === 0 && receipt.runningTotal === 0n;
    const isFree = receipt.amount === 0n && receipt.refundOwed === 0n && receipt.payer === zeroAddress;
    differences.require(isOutside && (isPaid || isFree), () => `entry ${index} charges ${receipt.amount} to nothing`);
    return;
  }
  const sum = facts.channels.get(receipt.channelId) ?? { charged: 0n, sequence: 0, totalAt: new Map<number, bigint>() };
  facts.channels.set(receipt.channelId, sum);
  sum.charged += receipt.amount;
  sum.sequence += 1;
  differences.require(
    receipt.sequence === sum.sequence,
    () => `entry ${index} is receipt ${receipt.sequence} of its channel, and should be ${sum.sequence}`,
  );
  differences.require(
    receipt.runningTotal === sum.charged,
    () => `entry ${index} has the running total ${receipt.runningTotal}, and the amounts add up to ${sum.charged}`,
  );
  if (claimEnds.has(claimEnd(receipt.channelId, sum.sequence))) sum.totalAt.set(sum.sequence, sum.charged);
}

function compareCall({ row, index, receipt }: Charge, differences: Differences): void {
  if (row.isNull('quote')) return differences.add(`entry ${index} has no call`);
  differences.require(
    row.text('state') === 'charged',
    () => `the call of entry ${index} is ${row.text('state')}, not charged`,
  );
  const quote = row.amount('quote');
  differences.require(
    receipt.amount <= quote,
    () => `entry ${index} charges ${receipt.amount}, above its reservation of ${quote}`,
  );
  differences.require(
    (row.hexOrNull('call_channel_id') ?? zeroBytes32) === receipt.channelId &&
      row.number('admitted_at_ms') === receipt.admittedAtMs,
    () => `entry ${index} names another channel or time of admission than its call`,
  );
  const [key, callKey] = [keyOf(row, 'key_id'), keyOf(row, 'call_key_id')];
  differences.require(key === callKey, () => `entry ${index} counts for another key than its call`);
}

function keyOf(row: Row, column: string): string | null {
  return row.isNull(column) ? null : row.text(column);
}

function noteBatch(facts: ChargeFacts, row: Row, index: number): void {
  const batch = facts.batches.get(row.number('batch_id')) ?? [];
  batch[row.number('batch_index')] = index;
  facts.batches.set(row.number('batch_id'), batch);
}

function addToCollection(facts: ChargeFacts, { row, index, receipt }: Charge): void {
  if (row.isNull('booked_with')) return;
  const id = row.number('booked_with');
  facts.logSizes.set(id, index + 1);
  const spends = facts.spends.get(id) ?? new Map<string, bigint>();
  facts.spends.set(id, spends);
  if (receipt.amount === 0n) return;
  const key = spendKey({
    day: Math.floor(receipt.admittedAtMs / dayMs),
    model: receipt.modelAsked,
    provider: receipt.provider,
  });
  spends.set(key, (spends.get(key) ?? 0n) + receipt.amount);
}
