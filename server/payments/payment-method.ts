import type { Hex } from '../../protocol/bytes/hex.ts';
import type { Admission, FinishedPayment } from '../call/types.ts';
import type { ChargeResult } from '../ledger/ledger.ts';

/** Headers of a request, names in lower case, values of repeated ones joined. Never log them. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>;

/** What a payment may be read from. */
export interface PaymentRequest {
  headers: RequestHeaders;
  /** The exact bytes that came; none where no call is ordered (`HEAD`, for one). */
  body: Buffer;
  /** Of the URL, without its query. */
  path: string;
  callId: string;
  /** The most that the call can cost, atomic units by token; undefined if its body is not understood or nothing can pay for it. Computed anew by each call. */
  quotes(): ReadonlyMap<Hex, bigint> | undefined;
}

/** What is known of a call that is answered with 402. */
export interface ChallengeContext {
  /**
   * The most that the call can cost, in atomic units by token, without those that it cannot be paid in at present; undefined if
   * the request did not get that far.
   */
  quotes: ReadonlyMap<Hex, bigint> | undefined;
  /** The same on each chain that calls are paid on; undefined where there is one. */
  quotesOn?: ((chainId: number) => ReadonlyMap<Hex, bigint> | undefined) | undefined;
  /** The token of the payment that was refused, if there was one: the facts are about it. */
  token?: Hex | undefined;
  /** The chain of that token; the home chain if omitted. */
  chainId?: number | undefined;
  /** What was asked for: path of the URL without its query. */
  path: string;
  /** Why the call was refused, as the error in the body says it. */
  message: string;
}

/** How a call can be paid for by one method. */
export interface Challenge {
  /** How many offers there are, such as one for each token; at least 1. */
  offers: number;
  /** How many of the first it keeps as long as another method has more than it needs: different clients want different ones. 1 if omitted. */
  least?: number;
  /**
   * The headers of the 402 with the first `count` offers, 1 ≤ count ≤ offers, the most preferred first: all headers of a 402
   * together are bounded, so the last offers may be left out. Names as they are usually written. Methods that set the same one
   * are listed in it together.
   */
  headers(count: number): Readonly<Record<string, string>>;
  /** Top-level members of the 402's body beside `error`, such as x402's `accepts`; all offers. */
  body?: Readonly<Record<string, unknown>>;
  /** Facts for the error in the body. Money as decimal strings. */
  facts: Readonly<Record<string, string | number>>;
}

/** What a method says of a payment; admitPayment adds how it is finished and renewed. */
export interface MethodAdmission extends Omit<Admission, 'finish' | 'renew'> {
  /**
   * Set where the payment orders no call, such as a voucher ahead of calls, a top-up or the close of a channel: all that it asks
   * for is done, and durable. Headers of the answer, which has no body; names in lower case. Nothing may be charged to it.
   */
  acknowledged?: Readonly<Record<string, string>>;
}

/**
 * One way to pay. Whatever it looks like on the wire, it ends in an `Admission`: what the call may be charged to.
 * A method decides who pays and that the authority is genuine; whether it suffices, and whether it is new, the ledger decides.
 */
export interface PaymentMethod {
  /** `<method>/<intent>` as in `Accept-Payment`, or just the method where there are no intents: `evm/session`, `x402`, `key`. */
  readonly name: string;
  /** Whether the headers seem to carry a payment of this method; says nothing of its worth. Cheap: it is asked before the body is read. */
  carries(headers: RequestHeaders): boolean;
  /**
   * Reads and checks the payment of a request. A payment that comes again (after a lost answer, say) MUST be admitted again as
   * long as its authority can be verified, though its money has moved since: the ledger knows the call that it paid for,
   * and its answer is given again.
   *
   * @returns undefined if the request carries none of this method
   * @throws AutoPayError if it carries one that is not good
   */
  admit(request: PaymentRequest): Promise<MethodAdmission | undefined>;
  /** A fresh challenge; undefined if there is nothing that a client could send. */
  challenge(context: ChallengeContext): Challenge | undefined;
  /**
   * Called after the charge is durable: of a JSON answer before its status line, which waits for it; of a stream when
   * `[DONE]` has gone (with the named events, where they are wanted, still to come). Called again for each replay of the answer, so it
   * MUST be idempotent; what was paid is then `charge.payment`, not the payment that came with the repeated request. It bounds its own
   * waiting. Not called where the funds were not used, on a free route.
   *
   * @throws AutoPayError `settlement_pending` (503: the same payment may be sent again), `settlement_failed` (402). Once the
   * answer has gone it is reported, not told.
   */
  finish(admission: MethodAdmission, charge: ChargeResult): Promise<FinishedPayment>;
}
