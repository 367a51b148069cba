import type { Hex } from '../../protocol/bytes/hex.ts';
import type { ChannelState, DirectPayment } from './ledger.ts';

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
  /** Whether it closes its one channel: the payer asked for it, and gets the rest back. */
  closes: boolean;
  claims: readonly CollectionClaim[];
}

/** What the transaction of a collection did. */
export interface CollectionOutcome {
  id: number;
  transactionHash: Hex;
  /** Channels from which nothing was taken. */
  skipped: readonly Hex[];
  /** Channels that it closed; none by default. */
  closed?: readonly Hex[];
}

/** Spending of one (day, model, provider), summed over the charges of a collection. */
export interface SpendSum {
  /** Days since 1970-01-01 UTC, of admission. */
  day: number;
  model: string;
  provider: string;
  amount: bigint;
}

/** The unused rest of payments of a fixed amount, on its way back to the wallet that paid. */
export interface RefundSum {
  /** The oldest of the calls. */
  callId: string;
  to: Hex;
  /** Sum over the wallet's payments in this booking, atomic units. */
  amount: bigint;
}

/** What a collection, or a set of settled direct payments, brought in and is to be booked. */
export interface PendingBooking {
  collectionId: number;
  token: Hex;
  spends: readonly SpendSum[];
  /** One for each wallet that gets something back; empty for channels. */
  refunds: readonly RefundSum[];
  /** Every charge of the collection has a log index below this. */
  logSize: number;
}

/**
 * How far a direct payment is: `reserved` → `released` (its call was not charged: the same payload may be tried again) or
 * `due` (charged) → `settled` or `lost`. A lost one may still become `settled`, or `forgiven`; a
 * forgiven one `settled`, where its money comes after all. A charge of nothing is
 * settled at once, without a transaction.
 */
export type PaymentState = 'reserved' | 'released' | 'due' | 'settled' | 'lost' | 'forgiven';

/** A direct payment as the ledger holds it. */
export interface StoredPayment extends Omit<DirectPayment, 'available'> {
  state: PaymentState;
  /** The call that it pays for; of a released one, the last that it was to pay for. */
  callId: string;
  /** What the call was charged, atomic units; 0 before. */
  charge: bigint;
  /** What is taken from the payer, atomic units: of the exact kinds `maximum`, else the charge; 0 if the charge is, or before it. */
  captured: bigint;
  /** The transaction that took it; null before, and where nothing is taken. */
  transactionHash: Hex | null;
  /** Why it could not be settled; null unless that happened. */
  lossReason: string | null;
}

/** A payment that is to be settled (or, of a lost one, might still be), with what its transaction says of the call. */
export interface DuePayment extends StoredPayment {
  /** Unix milliseconds of the charge. */
  chargedAtMs: number;
  /** The name that the client asked for. */
  model: string;
  provider: string;
}

/** What a scope (a key, a project, a payer) has spent of its limit in one window and token, atomic units. */
export interface ScopeWindow {
  id: string;
  window: number;
  token: Hex;
  charged: bigint;
  /** Sum of the open reservations. */
  reserved: bigint;
}

/** By what spending is summed. */
export type SpendingDimension = 'payer' | 'key' | 'model' | 'day';

/** Which charges are asked for. */
export interface SpendingFilter {
  payer?: Hex;
  keyId?: string;
  /** First UTC day of admission, days since 1970-01-01. */
  sinceDay?: number;
  /** Last UTC day of admission. */
  untilDay?: number;
}

/** Spending of one group in one token; what is not grouped by is null. */
export interface SpendingSum {
  token: Hex;
  payer: Hex | null;
  keyId: string | null;
  model: string | null;
  /** Days since 1970-01-01 UTC. */
  day: number | null;
  calls: number;
  /** Atomic units. */
  amount: bigint;
}

/** One charge, for reports. */
export interface ChargeRow {
  /** Position in the log. */
  index: number;
  callId: string;
  /** Null on a free route. */
  payer: Hex | null;
  keyId: string | null;
  model: string;
  provider: string;
  token: Hex;
  /** Atomic units. */
  amount: bigint;
  /** Days since 1970-01-01 UTC, of admission. */
  day: number;
  /** The receipt, as the log has it. */
  entry: Uint8Array;
}

/** A page of rows; `next` is where the next one begins, null after the last. Pages may be short, or empty, before it. */
export interface ChargePage {
  rows: ChargeRow[];
  next: number | null;
}

/** The states of a transaction of the relay's account. */
export type TransactionStatus = 'signed' | 'succeeded' | 'reverted';

/** A transaction in the durable queue: signed before it is sent, so that a restart sends the same one again. */
export interface QueuedTransaction {
  id: number;
  /**
   * `collect:<id>`, `close:<id>`, `open:<channelId>`, `top-up:<nonce>`, `book:<id>`, `anchor:<size>`, `release:<batchId>`, `register:<name>`,
   * `answer:<disputeId>`, `pay:<paymentId>`, `attribute:<paymentId>` or `fund:<channelId>:<number>`: unique, so that a job is sent once; `fill:<account>:<nonce>` only uses a nonce.
   */
  purpose: string;
  /** The sending account, in lower case. */
  account: Hex;
  nonce: number;
  /** Oldest first, at least one; all have the nonce, so at most one of them can be mined. */
  attempts: readonly TransactionAttempt[];
  status: TransactionStatus;
}

/** One signature of a transaction; a later one replaces it by higher fees. */
export interface TransactionAttempt {
  hash: Hex;
  /** The signed transaction as it is broadcast. */
  raw: Hex;
  signedAtMs: number;
}

/** A transaction that is to be queued, with its first signature. */
export interface NewTransaction extends Pick<QueuedTransaction, 'purpose' | 'account' | 'nonce'> {
  attempt: TransactionAttempt;
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

/** A checkpoint of the log that was signed. */
export interface StoredCheckpoint {
  size: number;
  /** RFC 6962 root at `size`. */
  root: Uint8Array;
  /** Unix milliseconds. */
  signedAtMs: number;
  /** The signed note, cosignatures included. */
  note: string;
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
  /** How many entries the log has: one for each charge. */
  logSize(): Promise<number>;
  /** The newest checkpoint that was signed; undefined before the first. */
  newestCheckpoint(): Promise<StoredCheckpoint | undefined>;
  /**
   * Records a signed checkpoint; of the same size and root, its note takes the place of the one before.
   * @throws AutoPayError `log_rolled_back` if a larger one was recorded, `log_forked` if one of this size had another root
   */
  addCheckpoint(checkpoint: StoredCheckpoint): Promise<void>;
  lastBlock(): Promise<StoredBlock | undefined>;
  /** The block that ends with the log at this size; undefined if none does. */
  findBlock(size: number): Promise<StoredBlock | undefined>;
  addBlock(block: StoredBlock): Promise<void>;
  /** The newest log size whose anchor succeeded; 0 before the first. */
  anchoredSize(): Promise<number>;
  /** The first block whose anchor was sent, did not revert, and is not recorded yet; undefined if there is none. */
  findSentAnchor(): Promise<StoredBlock | undefined>;
  recordAnchor(anchor: { size: number; transactionHash: Hex }): Promise<void>;
  /** The oldest anchor that covers a position of the log; undefined if none does yet. */
  findAnchorOf(index: number): Promise<StoredAnchor | undefined>;
  /** RFC 6962 leaf hashes from log index `from`, in order, at most 10,000 at a time. */
  listLeafHashes(options: { from: number; limit: number }): Promise<Uint8Array[]>;
  /** A channel's charge with this sequence number. */
  findCharge(place: { channelId: Hex; sequence: number }): Promise<LoggedCharge | undefined>;
  /** A channel's newest charge; with `belowIndex`, the newest that stands below that position of the log. */
  findLastCharge(options: { channelId: Hex; belowIndex?: number }): Promise<LoggedCharge | undefined>;

  /** Assigns uncollected charges to a new collection for one token, at most `maxClaims` channels; undefined if there are none. */
  openCollection(options: { maxClaims: number }): Promise<Collection | undefined>;
  /**
   * When the first of the payers asked for its channel's close that still owe something (a charge that was not taken, or a
   * reservation that may become one), by the chain's time, unix seconds; undefined if none does.
   */
  oldestClosingDebt(): Promise<number | undefined>;
  /** Collections that have been opened and not yet finished. */
  listOpenCollections(): Promise<Collection[]>;
  /** The collection succeeded; the charges of skipped channels are collectable again (or lost, if the channel is finalized). */
  finishCollection(result: CollectionOutcome): Promise<void>;
  /** The collection failed as a whole; its charges are collectable again. */
  abandonCollection(id: number): Promise<void>;
  /** Collections that succeeded and are not booked, in the order of their ids, after `after`; at most 20 at a time. */
  listPendingBookings(options?: { after?: number }): Promise<PendingBooking[]>;
  finishBooking(result: { collectionId: number; batchId: bigint; transactionHash: Hex }): Promise<void>;

  /** Payments that are due, oldest charge first; at most 1,000 at a time. */
  listDuePayments(options: { limit: number }): Promise<DuePayment[]>;
  /** A payment in whatever state. */
  getPayment(paymentId: Hex): Promise<StoredPayment | undefined>;
  /** A payment that is due or lost. */
  getDuePayment(paymentId: Hex): Promise<DuePayment | undefined>;
  /** How many payments are due, and how many are lost. */
  countPayments(): Promise<{ due: number; lost: number }>;
  /** The payment's transaction succeeded; of a lost or forgiven one too. Repeating it has no effect. */
  settlePayment(result: { paymentId: Hex; transactionHash: Hex }): Promise<void>;
  /** A due payment cannot be settled now: its payer is refused until it is, or is forgiven. Of a lost one, changes the reason. */
  losePayment(result: { paymentId: Hex; reason: string }): Promise<void>;
  /** The operator gives a lost payment up, and the payer may call again. */
  forgivePayment(paymentId: Hex): Promise<void>;
  /** Payments that are lost, oldest charge first, those that came after `after`; at most 1,000 at a time. */
  listLosses(page: { after?: Hex; limit: number }): Promise<DuePayment[]>;
  /** Losses that may still be settled (`retriedUntilSeconds`), in the order of their ids; at most 10,000 at a time. */
  listRetriedLosses(page: { nowSeconds: number; after?: Hex; limit: number }): Promise<Hex[]>;
  /**
   * Losses and forgiven payments whose `pay:` or `attribute:` transaction is signed, or has succeeded: their money may come, or
   * is there. In the order of their ids, at most 10,000 at a time.
   */
  listCarriedPayments(page: { after?: Hex; limit: number }): Promise<Hex[]>;
  /**
   * Makes a booking of settled direct payments of one token, oldest first, at most `maxPayments`; undefined if none waits.
   * Payments by allowance are never among them: their transaction has paid the provider.
   */
  openPaymentBooking(options: { maxPayments: number }): Promise<PendingBooking | undefined>;

  /** What scopes have spent, in the order asked for, at most 1,000; zero where there was no spending. */
  getSpending(scopes: readonly Omit<ScopeWindow, 'charged' | 'reserved'>[]): Promise<ScopeWindow[]>;
  /** Sums of charges, ordered by token and groups; reads them all, a page at a time. */
  listSpending(options: SpendingFilter & { groupBy: readonly SpendingDimension[] }): Promise<SpendingSum[]>;
  /** Charges in the order of the log from position `from`. */
  listCharges(options: SpendingFilter & { from?: number; limit: number }): Promise<ChargePage>;

  /**
   * Takes an account nonce and stores the signed transaction in one step. Idempotent by `purpose`, unless that one reverted.
   * @returns undefined if another transaction has the nonce: read `nextNonce` and sign again.
   */
  enqueueTransaction(transaction: NewTransaction): Promise<QueuedTransaction | undefined>;
  /** Stores a further signature of a transaction that did not revert, before it is broadcast. Repeating it has no effect. */
  replaceTransaction(replacement: { id: number; attempt: TransactionAttempt }): Promise<QueuedTransaction>;
  getTransaction(purpose: string): Promise<QueuedTransaction | undefined>;
  /** The transaction that has a nonce; undefined if none was given it, or what had it came to nothing. */
  findTransaction(place: { account: Hex; nonce: number }): Promise<QueuedTransaction | undefined>;
  /** Transactions of an account without an outcome, by nonce; at most 10,000. */
  listUnfinishedTransactions(account: Hex): Promise<QueuedTransaction[]>;
  /** A success may turn out to be a revert (after a reorganisation), a revert is final. */
  finishTransaction(result: { id: number; status: Exclude<TransactionStatus, 'signed'> }): Promise<void>;
  /** The next nonce of an account by the queue; undefined if it has sent nothing yet (then ask the chain). */
  nextNonce(account: Hex): Promise<number | undefined>;

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
