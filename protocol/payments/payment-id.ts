import { fromHex, toHex, type Hex } from '../bytes/hex.ts';
import { keccak256 } from '../bytes/keccak256.ts';

/** What a direct payment is made of: an EIP-3009 authorization, a Permit2 transfer (fixed, or up to a maximum), an allowance. */
export type DirectPaymentKind = 'eip3009' | 'permit2-exact' | 'permit2-upto' | 'allowance';

/** What tells one direct payment from all others. */
export interface PaymentIdentity {
  kind: DirectPaymentKind;
  /** The contract whose nonces these are: the token (EIP-3009), Permit2, or AutoPayLLM (allowance). */
  contract: Hex;
  payer: Hex;
  /** 32 bytes; a call id is padded on the left. */
  nonce: Hex;
}

/**
 * The id of a direct payment: keccak256 of `<kind>:<contract>:<payer>:<nonce>` as UTF-8, all in lower case; both kinds of Permit2
 * are `permit2` there, because they share its nonces. Whoever pays twice with one nonce pays once.
 *
 * @throws AutoPayError `invalid_encoding` if a part has another length
 */
export function paymentIdOf({ kind, contract, payer, nonce }: PaymentIdentity): Hex {
  const parts = [toHex(fromHex(contract, 20)), toHex(fromHex(payer, 20)), toHex(fromHex(nonce, 32))];
  const noncesOf = kind === 'permit2-exact' || kind === 'permit2-upto' ? 'permit2' : kind;
  return toHex(keccak256(Buffer.from([noncesOf, ...parts].join(':'))));
}
