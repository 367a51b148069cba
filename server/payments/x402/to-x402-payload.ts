import type { SignedPayment } from '../../../protocol/x402/decode-payment.ts';

/** `payload` of an x402 PaymentPayload: what was signed, as @x402 and facilitators take it. */
export function toX402Payload(signed: SignedPayment): Record<string, unknown> {
  const { kind, signature, payer: from, maximum, nonce, recipient: to } = signed;
  const validAfter = signed.validAfter.toString();
  const until = signed.validBefore.toString();
  if (kind === 'eip3009') {
    const value = maximum.toString();
    return { signature, authorization: { from, to, value, validAfter, validBefore: until, nonce } };
  }
  const { token, spender, facilitator } = signed;
  return {
    signature,
    permit2Authorization: {
      from,
      permitted: { token, amount: maximum.toString() },
      spender,
      nonce: BigInt(nonce).toString(),
      deadline: until,
      witness: { to, ...(facilitator !== null && { facilitator }), validAfter },
    },
  };
}
