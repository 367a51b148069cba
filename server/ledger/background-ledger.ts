import type { Hex } from '../../protocol/bytes/hex.ts';
import type { ChannelState } from './ledger.ts';

/** One channel's share of a collection. */
export interface CollectionClaim {
  channel: ChannelState;
  /** Highest voucher: what the payer signed. */
  maximum: bigint;
  signature: Hex;
  /** What was charged: what is taken. */
  claimed: bigint;
  /** Charges up to this sequence number are covered. */
  throughSequence: number;
}

/** A batch of claims that goes to the chain in one transaction. */
export interface Collection {
  id: number;
  token: Hex;
  claims: readonly CollectionClaim[];
}

/** Spending of one (day, model, provider), summed over the charges of a collection. */
export interface SpendSum {
  /** Days since 1970-01-01 UTC, of admission. */
  day: number;
  model: string;
  provider: string;
  amount: bigint;
}

/** What a collection brought in and is to be booked. */
export interface PendingBooking {
  collectionId: number;
  token: Hex;
  spends: readonly SpendSum[];
  /** Every charge of the collection has a log index below this. */
  logSize: number;
}

/** The states of a transaction of the relay's account. */
export type TransactionStatus = 'signed' | 'succeeded' | 'reverted';

/** A transaction in the durable queue: signed before it is sent, so that a restart sends the same one again. */
export interface QueuedTransaction {
  id: number;
  /**
   * `collect:<id>`, `book:<id>`, `anchor:<size>`, `release:<batchId>`, `register:<name>` or `answer:<disputeId>`: unique, so
   * that a job is sent once.
   */
  purpose: string;
  nonce: number;
  hash: Hex;
  /** The signed transaction as it is broadcast. */
  raw: Hex;
  status: TransactionStatus;
}

/** An entry of the log that waits for a block. */
export interface LoggedEntry {
  index: number;
  callId: string;
  entry: Uint8Array;
}

/** A charge of a channel, as the log holds it. */
export interface LoggedCharge {
  /** Position in the log. */
  index: number;
  sequence: number;
  runningTotal: bigint;
  /** RFC 6962 hash of `entry`. */
  leafHash: Uint8Array;
  entry: Uint8Array;
}

/** An anchor that succeeded. */
export interface StoredAnchor {
  size: number;
  transactionHash: Hex;
}

/** A block that was written. */
export interface StoredBlock {
  start: number;
  /** Log size with this block. */
  size: number;
  cid: string;
  /** RFC 6962 root at `size`. */
  root: Uint8Array;
  /** Frontier at `size`. */
  frontier: readonly Uint8Array[];
}

/** A change that a vote made to what models may spend, as an event of `ModelBudgets` tells it. */
export interface BudgetChange {
  block: number;
  logIndex: number;
  /** What changes: a model's own limit, the limit of all others, or what a token counts. */
  kind: 'model' | 'default' | 'rate';
  /** keccak256 of the model's name, or the token's address, in lower case; `0x` with `default`. */
  subject: Hex;
  /** First UTC day on which it holds. */
  fromDay: number;
  /** AGPT wei per day, or AGPT wei per atomic unit times 10^18; null where a model's own limit ends. */
  value: bigint | null;
}

/** The relay's books, as the background workers need them. Every method is one transaction and may be repeated. */
export interface BackgroundLedger {
  /** Entries from log index `from`, in order, at most 10,000 at a time. */
  listEntries(options: { from: number; limit: number }): Promise<LoggedEntry[]>;
  lastBlock(): Promise<StoredBlock | undefined>;
  addBlock(block: StoredBlock): Promise<void>;
  /** The newest log size whose anchor succeeded; 0 before the first. */
  anchoredSize(): Promise<number>;
  recordAnchor(anchor: { size: number; transactionHash: Hex }): Promise<void>;
  /** The oldest anchor that covers a position of the log; undefined if none does yet. */
  findAnchorOf(index: number): Promise<StoredAnchor | undefined>;
  /** The block that holds a position of the log; undefined if none does yet. */
  findBlockOf(index: number): Promise<StoredBlock | undefined>;
  /** RFC 6962 leaf hashes from log index `from`, in order, at most 10,000 at a time. */
  listLeafHashes(options: { from: number; limit: number }): Promise<Uint8Array[]>;
  /** A channel's charge with this sequence number. */
  findCharge(place: { channelId: Hex; sequence: number }): Promise<LoggedCharge | undefined>;
  /** A channel's newest charge; with `belowIndex`, the newest that stands below that position of the log. */
  findLastCharge(options: { channelId: Hex; belowIndex?: number }): Promise<LoggedCharge | undefined>;

  /** Assigns uncollected charges to a new collection for one token, at most `maxClaims` channels; undefined if there are none. */
  openCollection(options: { maxClaims: number }): Promise<Collection | undefined>;
  /**
   * Whether a channel whose payer wants it closed still owes something: a charge that was not taken, or a reservation that
   * may become one.
   */
  hasClosingDebt(): Promise<boolean>;
  /** Collections that have been opened and not yet finished. */
  listOpenCollections(): Promise<Collection[]>;
  /** The collection succeeded; the charges of skipped channels are collectable again (or lost, if the channel is finalized). */
  finishCollection(result: { id: number; transactionHash: Hex; skipped: readonly Hex[] }): Promise<void>;
  /** The collection failed as a whole; its charges are collectable again. */
  abandonCollection(id: number): Promise<void>;
  /** Collections that succeeded and are not booked, in the order of their ids, after `after`; at most 20 at a time. */
  listPendingBookings(options?: { after?: number }): Promise<PendingBooking[]>;
  finishBooking(result: { collectionId: number; batchId: bigint; transactionHash: Hex }): Promise<void>;

  /** Takes the next account nonce and stores the signed transaction in one step. Idempotent by `purpose`, unless that one reverted. */
  enqueueTransaction(transaction: Omit<QueuedTransaction, 'id' | 'status'>): Promise<QueuedTransaction>;
  getTransaction(purpose: string): Promise<QueuedTransaction | undefined>;
  listUnfinishedTransactions(): Promise<QueuedTransaction[]>;
  finishTransaction(result: { id: number; status: Exclude<TransactionStatus, 'signed'> }): Promise<void>;
  /** The next nonce by the queue; undefined if it is empty (then ask the chain). */
  nextNonce(): Promise<number | undefined>;

  /** Changes of budgets in the order of the chain, after `after`; at most 10,000 at a time. */
  listBudgetChanges(options?: { after?: Pick<BudgetChange, 'block' | 'logIndex'> }): Promise<BudgetChange[]>;
  /** Puts what blocks `from` to `to` say now in the place of what they said before: a reorganisation may have changed it. */
  replaceBudgetChanges(range: { from: number; to: number; changes: readonly BudgetChange[] }): Promise<void>;

  /** A small durable value, such as the last block that was read. */
  getState(key: string): Promise<string | undefined>;
  setState(key: string, value: string): Promise<void>;
  /** Channels in the order of their ids, after `after`; at most 10,000 at a time. */
  listChannels(options?: { after?: Hex; limit?: number }): Promise<ChannelState[]>;
}
