import type { CallReceipt, TokenUsage, UsageKind } from '../../protocol/receipt/call-receipt.ts';
import type { SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { ErrorCode } from '../../protocol/errors/error-codes.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';

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

/** Asks for a quote to be held. */
export interface ReserveRequest {
  callId: string;
  /** What pays; null on a free route. */
  voucher: VerifiedVoucher | null;
  /** What the quote is in; the channel must hold it. Without meaning on a free route. */
  token: Hex;
  quote: bigint;
  /** The name that the client asked for: budgets, receipts and bookings go by it. */
  model: string;
  /** The budget that the quote is held against too; null on a free route, which spends nothing. */
  budget: BudgetTerms | null;
  admittedAtMs: number;
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
  >;
  channel: ChannelState | null;
  /** The smallest voucher above all accepted ones that would be admitted now, if the deposit covers it. */
  requiredCumulative: bigint;
  /** With `voucher_already_used`: the call that the voucher admitted. */
  usedByCallId?: string;
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
}

/** A durable charge. */
export interface ChargeResult {
  receipt: CallReceipt;
  signed: SignedReceipt;
  /** The channel right after the charge; null on a free route. */
  channel: ChannelState | null;
}

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
  /** Frees reservations whose lease ended before `nowMs`, and says how many. */
  sweep(nowMs: number): Promise<number>;
  close(): Promise<void>;
}
