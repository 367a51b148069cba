import type { CallReceipt, TokenUsage, UsageKind } from '../../protocol/receipt/call-receipt.ts';
import type { SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { ErrorCode } from '../../protocol/errors/error-codes.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { DirectPaymentKind } from '../../protocol/payments/payment-id.ts';

/** A channel as the chain has it. Amounts are atomic units of `token`. */
export interface ChannelOnChain {
  channelId: Hex;
  payer: Hex;
  payee: Hex;
  token: Hex;
  salt: Hex;
  /** Zero address: the payer signs. */
  authorizedSigner: Hex;
  deposit: bigint;
  settled: bigint;
  /** Unix seconds; 0 if no close is pending. */
  closeRequestedAt: number;
  finalized: boolean;
  /** Number of the block whose state this is. Reads arrive out of order; an older one never replaces a newer one. */
  readAtBlock: number;
}

/** A channel with what the relay knows beyond the chain. */
export interface ChannelState extends ChannelOnChain {
  /** Highest voucher accepted. */
  acceptedCumulative: bigint;
  acceptedSignature: Hex | null;
  /** Sum of the charges (`spent` in MPP). */
  charged: bigint;
  /** Sum of the open reservations. */
  reserved: bigint;
  /** Number of receipts of the channel. */
  sequence: number;
}

/** The voucher that pays for one call; its signature MUST have been verified. */
export interface VerifiedVoucher {
  channelId: Hex;
  cumulativeAmount: bigint;
  signature: Hex;
}

/** What a vote allows the model of a call to spend on the UTC day on which the call was admitted. */
export interface BudgetTerms {
  /** Days since 1970-01-01 UTC. */
  day: number;
  /** AGPT wei per day; at most 2^128 − 1, as on the chain. */
  limitAgpt: bigint;
  /** What the call's token counts: AGPT wei per atomic unit, times 10^18; at most 2^128 − 1. */
  rate: bigint;
}

/**
 * One payment for one call, whose money moves by a transaction of its own; its authorization MUST have been verified. Of
 * `eip3009` and `permit2-exact` the signed value is taken whatever the call costs, and the rest is refunded by the booking;
 * of the other two, the charge.
 */
export interface DirectPayment {
  /** As `paymentIdOf`: the same authorization has the same id, for ever. */
  paymentId: Hex;
  kind: DirectPaymentKind;
  payer: Hex;
  token: Hex;
  /** The most that may be taken, atomic units; of the exact kinds, what will be taken. */
  maximum: bigint;
  /** What the settlement needs besides, as JSON; opaque to the ledger, at most `maxPaymentPayloadBytes`. */
  payload: string;
  /** Unix seconds after which it can no longer be settled; null if never. */
  validBefore: number | null;
  /**
   * What the chain would let the relay take now, all open payments of this payer in this token (and, of an `allowance`, of this
   * kind) together: the allowance, or the wallet's balance. Null of a payment that came again, and was not looked at again.
   */
  available: bigint | null;
}

/** The most bytes of `DirectPayment.payload`. */
export const maxPaymentPayloadBytes = 8_192;

/** A cap on spending beside the model's: of a key, a project or a payer. */
export interface SpendingScope {
  /** `key:<id>`, `project:<id>`, `payer:<address>`; at most 128 characters. */
  id: string;
  /** Which period of it, such as its start in unix seconds; 0 for all time. */
  window: number;
  /** The most that may be charged and reserved in the window, atomic units of the call's token. */
  limit: bigint;
  /** Unix seconds at which the window ends; null if never. Not stored: it is for the client that is refused. */
  endsAtSeconds: number | null;
}

/** The most scopes of one call. */
export const maxScopesPerCall = 8;

/** What a call is charged to. */
export type Funds =
  /** A voucher that admits this one call. */
  | { kind: 'voucher'; voucher: VerifiedVoucher }
  /** What the payer of a channel has signed already; the scopes say whose key it is. */
  | { kind: 'key'; channelId: Hex }
  /** A payment of its own. */
  | { kind: 'direct'; payment: DirectPayment };

/** Makes a call the only one of its key: the same request again is told of the first one's answer. */
export interface Idempotency {
  /** Whose key it is: a channel id, a payer, `key:<id>`; at most 128 characters. */
  scope: string;
  /** At most 256 characters. */
  key: string;
  /** SHA-256 of path, a line feed and the body. */
  bodyDigest: Hex;
}

/** Asks for a quote to be held. */
export interface ReserveRequest {
  callId: string;
  /** What pays; null on a free route. */
  funds: Funds | null;
  /** Caps beside the model's budget; none on a free route. */
  scopes: readonly SpendingScope[];
  idempotency: Idempotency | null;
  /**
   * With a payment of its own: the most that what its payer has not settled may come to, in this token and with this call, atomic
   * units. One call at a time it may exceed that. Null: as much as the payer has.
   */
  maxUnsettled: bigint | null;
  /** The API key that the call came with, for reports; null without one. */
  keyId: string | null;
  /** What the quote is in; the channel or payment must be of it. Without meaning on a free route. */
  token: Hex;
  quote: bigint;
  /** The name that the client asked for: budgets, receipts and bookings go by it. */
  model: string;
  /** The budget that the quote is held against too; null on a free route, which spends nothing. */
  budget: BudgetTerms | null;
  admittedAtMs: number;
  /**
   * Whether it may become durable some milliseconds late, as a rule together with its charge: nothing of the answer leaves before that.
   * A payment of its own MUST NOT be used before it is durable.
   */
  mayWait?: boolean;
  /** After this the sweeper may free the reservation. */
  leaseUntilMs: number;
}

/** Why a reservation was refused, in numbers that the client needs to mend it. */
export interface ReserveRefusal {
  code: Extract<
    ErrorCode,
    | 'voucher_already_used'
    | 'insufficient_headroom'
    | 'amount_exceeds_deposit'
    | 'channel_not_found'
    | 'channel_finalized'
    | 'channel_closing'
    | 'channel_out_of_books'
    | 'channel_wrong_token'
    | 'model_budget_exceeded'
    | 'scope_exceeded'
    | 'payment_already_used'
    | 'payer_owes'
    | 'unsettled_limit_reached'
    | 'insufficient_allowance'
    | 'insufficient_funds'
    | 'idempotency_mismatch'
    | 'idempotent_repeat'
  >;
  channel: ChannelState | null;
  /**
   * Of a channel: the smallest voucher above all accepted ones that would be admitted now, if the deposit covers it. Of a
   * direct payment: the smallest maximum.
   */
  requiredCumulative: bigint;
  /** With `voucher_already_used`, `payment_already_used`, `idempotency_mismatch` and `idempotent_repeat`: the call that came first. */
  usedByCallId?: string;
  /**
   * With `idempotent_repeat`: how far that call is. It is no error: wait for it, and give its answer again; of a call that was
   * released meanwhile, look at the payment again, and reserve anew.
   */
  usedByState?: 'reserved' | 'charged' | 'released';
  /** With `payer_owes`: the payment that could not be settled, what is owed for it, and until when it is tried again (Unix seconds). */
  owed?: { paymentId: Hex; amount: bigint; retriedUntil: number };
  /** With `unsettled_limit_reached`: what the payer has not settled, and the bound. */
  unsettled?: { amount: bigint; limit: bigint };
  /** With `insufficient_allowance` and `insufficient_funds`: what is left of it beside the payer's open payments. */
  availableAllowance?: bigint;
  /** With `scope_exceeded`: the first scope that the quote does not fit. */
  scope?: ScopeSpending;
  /** With `model_budget_exceeded`: what the day's budget of the model was at that moment. */
  spending?: ModelSpending;
}

/** What a model has spent on one UTC day, AGPT wei. */
export interface ModelSpending {
  charged: bigint;
  /** Sum of the open reservations. */
  reserved: bigint;
  /** What the refused call would have added. */
  quote: bigint;
}

/** What a scope has spent in one window, atomic units. */
export interface ScopeSpending extends SpendingScope {
  charged: bigint;
  /** Sum of the open reservations. */
  reserved: bigint;
}

/**
 * A decided reservation. The upstream MAY be called at once. The client's first byte MUST NOT leave before `durable`
 * has resolved; if it rejects, nothing was reserved and the call MUST be given up.
 */
export type ReserveOutcome =
  { ok: true; channel: ChannelState | null; durable: Promise<void> } | { ok: false; refusal: ReserveRefusal };

/** One try at one deployment, failed ones too. */
export interface AttemptRecord {
  number: number;
  provider: string;
  deployment: string;
  startedAtMs: number;
  endedAtMs: number;
  outcome: 'ok' | 'refused' | 'unreachable' | 'timeout' | 'truncated' | 'aborted';
  /** HTTP status of the upstream, if it answered. */
  status: number | null;
  usage: TokenUsage | null;
  usageKind: UsageKind | 'unknown';
}

/** What the caller knows of a charge; the ledger adds payer, channel, sequence, running total, amount and time. */
export interface ChargeRequest {
  callId: string;
  /** Metered cost; the ledger charges min(metered, reservation). */
  metered: bigint;
  receipt: Pick<
    CallReceipt,
    | 'token'
    | 'priceRoot'
    | 'oracleRound'
    | 'usage'
    | 'requestCommitment'
    | 'responseCommitment'
    | 'attemptsDigest'
    | 'evidenceTier'
    | 'usageKind'
    | 'modelAsked'
    | 'modelServed'
    | 'provider'
    | 'deployment'
  >;
  requestSalt: Uint8Array;
  responseSalt: Uint8Array;
  attempts: readonly AttemptRecord[];
  /** Kept for repetitions, in the same transaction, if the call has an idempotency key or a direct payment. */
  answer: StoredAnswer | null;
  /** Kept beside the receipt, in the same transaction; none where nothing but the relay's signature supports it. */
  evidence?: StoredEvidence | null;
}

/** What supports an answer, as it is kept. */
export interface StoredEvidence {
  /** An evidence document as JSON, without its attestation (protocol/evidence/evidence-document.ts). The caller bounds its size. */
  body: string;
  /** SHA-256 of the attestation's JSON, stored before; null without one. Many answers share one. */
  attestation: Hex | null;
}

/** An answer as it can be given again. The caller bounds its size. */
export interface StoredAnswer {
  contentType: string;
  headers: Record<string, string>;
  /** The exact bytes; of a stream all of it, `[DONE]` included. */
  body: Uint8Array;
}

/** A durable charge. */
export interface ChargeResult {
  receipt: CallReceipt;
  /** Base64 SignedReceipt, as the client gets it. */
  signedReceipt: string;
  /** The channel right after the charge; null on a free route and for a direct payment. */
  channel: ChannelState | null;
  /** The direct payment and what is taken for it (0: no transaction); null for other funds. */
  payment: { paymentId: Hex; captured: bigint } | null;
}

/** What is kept of a call for whoever repeats its request. */
export interface CallAnswer {
  state: 'reserved' | 'charged' | 'released';
  /** Null before the charge, if none was kept, and after `answersKeptMs`. */
  answer: StoredAnswer | null;
  /** The charge; null before it. */
  result: ChargeResult | null;
}

/** The call that a request repeats, or seems to. */
export interface FirstCall {
  callId: string;
  state: 'reserved' | 'charged';
  /** Whether it is the same request: its digest is the one of the first. */
  isSame: boolean;
}

/** How long an idempotency key and its answer are kept after the reservation, milliseconds. */
export const answersKeptMs = 86_400_000;

/** Asks for a call to be of another model: the one that answers in place of the first. */
export interface MoveRequest {
  callId: string;
  /** The name that its price has in the table. */
  model: string;
  /** The budget of that model, on the day of admission; null on a free route. */
  budget: BudgetTerms | null;
}

/** Whether the call has moved; if not, it is of the model that it was. */
export type MoveOutcome = { ok: true } | { ok: false; spending: ModelSpending };

/** Gives a reservation back, uncharged. */
export interface ReleaseRequest {
  callId: string;
  reason: ErrorCode | 'client_gone' | 'crashed';
  attempts: readonly AttemptRecord[];
}

/**
 * The relay's books, as the life of a call needs them. Requests of concurrent calls are grouped: one message and one
 * transaction for each group. Receipts are encoded and signed (once per commit) inside the transaction that charges.
 */
export interface Ledger {
  /** Holds a quote against headroom and the model's budget of the day, atomically: both or neither. */
  reserve(request: ReserveRequest): Promise<ReserveOutcome>;
  /**
   * Charges once, by `callId`; a second charge of the same call returns the first one's result. Resolves when durable:
   * the last byte of the answer MUST NOT leave earlier.
   */
  charge(request: ChargeRequest): Promise<ChargeResult>;
  /**
   * Lets a call be of another model from now on: what it holds of the model's budget of its day it holds of the other's, all or
   * nothing. What it holds of funds and scopes stays. Resolves when durable.
   * @throws AutoPayError `internal_error` for a call that is not reserved, or has a budget where it pays nothing (or the other way round)
   */
  moveCall(request: MoveRequest): Promise<MoveOutcome>;
  /** Frees a reservation; no effect on a call that is charged or released already. Resolves when durable. */
  release(request: ReleaseRequest): Promise<void>;
  /**
   * Records a channel as read from the chain: new, or with changed deposit, settled amount or close state. A read at an
   * older block than the recorded one changes nothing; the result's `readAtBlock` then is above the one given.
   */
  upsertChannel(channel: ChannelOnChain): Promise<ChannelState>;
  getChannel(channelId: Hex): Promise<ChannelState | undefined>;
  /**
   * The channel as this ledger last told of it, at once; undefined if it has not, or has forgotten. It may be behind by
   * what is in flight, so it serves to prepare a reservation, never to decide one.
   */
  recallChannel(channelId: Hex): ChannelState | undefined;
  getSignedReceipt(callId: string): Promise<SignedReceipt | undefined>;
  /** What a repetition of a call's request is answered with; undefined if the call was never reserved. */
  findAnswer(callId: string): Promise<CallAnswer | undefined>;
  /** The call that stands for an idempotency key; undefined if there is none, or it was released. */
  findRepeat(idempotency: Idempotency): Promise<FirstCall | undefined>;
  /**
   * Frees reservations whose lease ended before `nowMs`, and says how many; forgets idempotency keys and answers that are
   * too old.
   */
  sweep(nowMs: number): Promise<number>;
  close(): Promise<void>;
}
