import type { Hex } from '../../protocol/bytes/hex.ts';
import type { Admission } from '../call/types.ts';

/** What a payment may be read from. */
export interface PaymentRequest {
  /** The `Authorization` header. Never log it. */
  authorization: string | undefined;
}

/** What is known of a call that is answered with 402. */
export interface ChallengeContext {
  /**
   * The most that the call can cost, in atomic units by token, without those that it cannot be paid in at present; undefined if
   * the request did not get that far.
   */
  quotes: ReadonlyMap<Hex, bigint> | undefined;
  /** The token of the payment that was refused, if there was one: the facts are about it. */
  token?: Hex | undefined;
}

/** How a call can be paid for by one method. */
export interface Challenge {
  /** Headers of the 402, such as `WWW-Authenticate`. Methods that set the same one are listed in it together. */
  headers: Readonly<Record<string, string>>;
  /** Facts for the error's body. Money as decimal strings. */
  facts: Readonly<Record<string, string | number>>;
}

/**
 * One way to pay. Whatever it looks like on the wire, it ends in an `Admission`: what the call may be charged to.
 * A method decides who pays and that the authority is genuine; whether it suffices, the ledger decides.
 */
export interface PaymentMethod {
  /** For logs. */
  readonly name: string;
  /**
   * Reads and checks the payment of a request.
   *
   * @returns undefined if the request carries none of this method
   * @throws AutoPayError if it carries one that is not good
   */
  admit(request: PaymentRequest): Promise<Admission | undefined>;
  /** A fresh challenge; undefined if there is nothing that a client could send. */
  challenge(context: ChallengeContext): Challenge | undefined;
}
