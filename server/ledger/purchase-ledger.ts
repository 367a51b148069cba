import type { Hex } from '../../protocol/bytes/hex.ts';

/** How a purchase is paid: by an EIP-3009 authorization of x402 or MPP, or by a voucher. */
export type PurchaseMethod = 'x402' | 'evm/charge' | 'evm/session';

/**
 * How far a purchase is. `open`: its answer is under way. `unknown`: it was signed, and nobody knows yet what it cost; it counts as
 * spent. `paid`: its cost is known. `void`: nothing was taken, and nothing can be any more.
 */
export type PurchaseState = 'open' | 'unknown' | 'paid' | 'void';

/** What gives the seller its money. */
export type PurchaseAuthority =
  /** An EIP-3009 authorization; Unix seconds. */
  | { kind: 'authorization'; nonce: Hex; validBefore: number }
  /** The next voucher of a channel. */
  | { kind: 'channel'; channelId: Hex };

/** Asks for leave to pay a seller; what is signed after it is durable. Amounts are atomic units. */
export interface PurchaseRequest {
  callId: string;
  /** Number of the attempt within the call, from 1: it is paid for once. */
  attempt: number;
  provider: string;
  method: PurchaseMethod;
  chainId: number;
  token: Hex;
  payer: Hex;
  payee: Hex;
  /** The most that it can cost. */
  maximum: bigint;
  /** The most that all attempts of the call may cost together at this provider. */
  maxPerCall: bigint;
  /** The most that one UTC day's purchases from this provider may cost. */
  maxPerDay: bigint;
  authority: PurchaseAuthority;
  /** Unix milliseconds. */
  nowMs: number;
}

/** Why a purchase is not made. */
export type PurchaseRefusal =
  'attempt_paid' | 'nonce_used' | 'call_limit' | 'day_limit' | 'no_channel' | 'stopped' | 'deposit_low';

/** Leave to pay, or why not. */
export type PurchaseDecision =
  /** `cumulative` is the amount of the voucher; null without a channel. */
  { ok: true; purchaseId: number; cumulative: bigint | null } | { ok: false; reason: PurchaseRefusal };

/** What a seller's verified receipt says of its channel. */
export interface PurchaseReceipt {
  sequence: number;
  runningTotal: bigint;
  /** Base64 SignedReceipt. */
  encoded: string;
}

/** What became of a purchase. `unknown` can be followed by `paid` or `void`; those are final. */
export interface PurchaseEnd {
  purchaseId: number;
  state: Exclude<PurchaseState, 'open'>;
  /** Of `paid`: what was taken, atomic units. */
  cost?: bigint;
  transactionHash?: Hex;
  receipt?: PurchaseReceipt;
}

/** A purchase as the books have it. */
export interface StoredPurchase extends Omit<PurchaseRequest, 'authority' | 'maxPerCall' | 'maxPerDay' | 'nowMs'> {
  purchaseId: number;
  nonce: Hex | null;
  validBefore: number | null;
  channelId: Hex | null;
  cumulative: bigint | null;
  state: PurchaseState;
  /** Null while it is not known. */
  cost: bigint | null;
  transactionHash: Hex | null;
  /** Base64 SignedReceipt of the seller. */
  receipt: string | null;
  openedAtMs: number;
}

/** Which channel is meant: one of these is in use. */
export interface PurchaseChannelKey {
  provider: string;
  chainId: number;
  escrow: Hex;
  payer: Hex;
  token: Hex;
}

/** A channel of the relay's wallet with a seller. Amounts are atomic units. */
export interface PurchaseChannel extends PurchaseChannelKey {
  channelId: Hex;
  payee: Hex;
  saltIndex: number;
  /** What of the deposit counts. */
  deposit: bigint;
  /** The highest voucher. */
  signed: bigint;
  /** The running total of the last receipt. */
  spent: bigint;
  sequence: number;
  /** Sum of the maxima of purchases whose cost is not known. */
  reserved: bigint;
  /** Deposits begun so far, the first one included. */
  refills: number;
  /** The deposit that is under way; null without one. */
  refillAmount: bigint | null;
  /** Unix milliseconds; null while it is not below its threshold. */
  lowSinceMs: number | null;
  /** Why it pays nothing; null if it does. */
  stopped: string | null;
}

/** What workers change of a channel; what is left out stays. */
export interface PurchaseChannelChange {
  channelId: Hex;
  /** What counts by now; it never sinks. */
  deposit?: bigint;
  lowSinceMs?: number | null;
  /** The first reason stays until null lifts it. */
  stopped?: string | null;
  /** It is closed on the chain: a new one takes its place. */
  retired?: true;
}

/** What a seller says was spent of a channel, and how the books stood before it was asked. */
export interface SpentTold {
  channelId: Hex;
  /** In all, atomic units. */
  spent: bigint;
  /** Of the channel's last receipt then. */
  sequence: number;
  /** The youngest purchase of unknown cost then. */
  upTo: number;
}

/** The books of what the relay buys. Every method is one transaction, and resolves when it is durable. */
export interface PurchaseLedger {
  /**
   * Gives leave to pay, within the limits of the call and of the day and the channel's deposit. Nothing MUST be signed and sent before it resolves. A
   * purchase counts with its maximum until its cost is known.
   */
  openPurchase(request: PurchaseRequest): Promise<PurchaseDecision>;
  /**
   * Says what became of a purchase; saying it again changes nothing.
   * @returns why the seller's running total cannot be, in words, and the channel pays no more; null if all fits
   * @throws AutoPayError `internal_error` if there is no such purchase
   */
  closePurchase(end: PurchaseEnd): Promise<string | null>;
  /** Purchases whose cost is not known, oldest first. */
  listUnknownPurchases(options: { after: number; limit: number }): Promise<StoredPurchase[]>;
  /** Purchases, oldest first: all, or those of one call. */
  listPurchases(options: { after: number; limit: number; callId?: string }): Promise<StoredPurchase[]>;
  /** What a provider's purchases of a day cost, or may have cost. */
  spentOnPurchases(place: { provider: string; chainId: number; token: Hex; day: number }): Promise<bigint>;
  /** The channel in use; undefined if there is none. */
  findPurchaseChannel(key: PurchaseChannelKey): Promise<PurchaseChannel | undefined>;
  /** Adds a channel that is to be opened with its first deposit, which is then under way. One that is there stays as it is. */
  addPurchaseChannel(
    channel: PurchaseChannelKey & Pick<PurchaseChannel, 'channelId' | 'payee' | 'saltIndex'> & { amount: bigint },
  ): Promise<PurchaseChannel>;
  changePurchaseChannel(change: PurchaseChannelChange): Promise<void>;
  /** Begins a deposit unless one is under way; the result names the one that is. */
  beginRefill(request: { channelId: Hex; amount: bigint }): Promise<PurchaseChannel>;
  /** Ends the deposit with this number; `deposit` is what counts now. */
  endRefill(result: { channelId: Hex; refill: number; deposit: bigint }): Promise<void>;
  /**
   * Takes what the seller says was spent in all, where nothing is under way, nor has ended since it was asked: purchases of unknown
   * cost then cost the difference.
   * @returns why that cannot be, in words; null if it fits, or says nothing of how the books stand now
   */
  reconcileChannel(told: SpentTold): Promise<string | null>;
}
