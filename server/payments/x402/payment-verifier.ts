import type { TokenPayment } from '../../settlement/payment-payload.ts';
import type { X402Token } from './x402-terms.ts';

/** Judges whether a payment is genuine and can be settled now. */
export interface PaymentVerifier {
  /**
   * @returns what the wallet could pay of the token now, atomic units, all its payments together
   * @throws AutoPayError `invalid_signature`, `payment_already_used`, `insufficient_funds`, `permit2_allowance_required`,
   * `payment_invalid`; `chain_unavailable` or `facilitator_unavailable` where it could not be judged
   */
  verify(payment: TokenPayment, token: X402Token): Promise<bigint>;
}
