import type { Hex } from '../../protocol/bytes/hex.ts';
import type { Collection } from './background-ledger.ts';
import type { BudgetTerms, ChannelState, ReserveRefusal, SpendingScope, VerifiedVoucher } from './ledger.ts';

/** Asks for the close of a channel; that its payer wants it MUST have been verified. */
export interface ClosingRequest {
  channelId: Hex;
  /** The final voucher, its signature verified; null where the payer has shown by other means that it wants this. */
  voucher: VerifiedVoucher | null;
  /** Unix milliseconds. */
  nowMs: number;
}

/** Asks for a call to hold more than it does. */
export interface ExtendRequest {
  callId: string;
  /** What it is to hold in all. */
  quote: bigint;
  /** As it was reserved against: that of the day of admission. */
  budget: BudgetTerms;
  /** As it was reserved against. */
  scopes: readonly SpendingScope[];
}

/** Whether a call holds as much as was asked for; if not, it holds what it did. */
export type ExtendOutcome = { ok: true } | { ok: false; refusal: ReserveRefusal };

/** What a payer may do with its channel beside calls. Every method is one transaction, and resolves when it is durable. */
export interface ChannelLedger {
  /**
   * Raises what a channel's payer has signed, by a voucher that admits no call. A lower voucher than the highest accepted one
   * changes nothing. The signature MUST have been verified.
   * @throws AutoPayError `channel_not_found`, `channel_finalized`, `channel_closing`, `channel_out_of_books`, `amount_exceeds_deposit`.
   */
  acceptVoucher(voucher: VerifiedVoucher): Promise<ChannelState>;
  /**
   * Begins the close of a channel that owes no reservation: it counts as closing, and a collection stands that closes it. Asking
   * again gives that one.
   * @returns `collecting` while an ordinary collection of the channel has to end first
   * @throws AutoPayError `channel_in_use`, `channel_not_found`, `channel_finalized`, `amount_exceeds_deposit`; `voucher_already_used` if the
   * voucher is on the chain, where anybody can have read it.
   */
  openClosing(request: ClosingRequest): Promise<Collection | 'collecting'>;
  /**
   * Raises what a call holds that was reserved on a channel, against the headroom that there is by now.
   * @throws AutoPayError `internal_error` if the call has ended
   */
  extendCall(request: ExtendRequest): Promise<ExtendOutcome>;
  /** The transaction by which the relay closed a channel; undefined if it did not. */
  findClosing(channelId: Hex): Promise<Hex | undefined>;
}
