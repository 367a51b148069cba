import { z } from 'zod';
import { addressSchema, bytes32Schema, uint256Schema } from '../../protocol/payments/value-schemas.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { paymentIdOf } from '../../protocol/payments/payment-id.ts';
import { permit2Address } from '../../protocol/x402/addresses.ts';
import type { SignedPayment } from '../../protocol/x402/decode-payment.ts';
import type { StoredPayment } from '../ledger/background-ledger.ts';
import type { DirectPayment } from '../ledger/ledger.ts';

/** A signed payment in a known token. */
export interface TokenPayment extends SignedPayment {
  token: Hex;
}

const payloadSchema = z.strictObject({
  recipient: addressSchema,
  validAfter: uint256Schema,
  validBefore: uint256Schema,
  nonce: bytes32Schema,
  signature: z.string().transform((value) => value as Hex),
  spender: addressSchema.nullable(),
  facilitator: addressSchema.nullable(),
});

/** Later than any clock; a payment that is valid for longer is valid for ever. */
const maxSeconds = 0xffff_ffff_ffffn;

/** Whose nonces a payment uses: the token's own with EIP-3009, else Permit2's. */
export function authorityOf({ kind, token }: Pick<TokenPayment, 'kind' | 'token'>): Hex {
  return kind === 'eip3009' ? token : permit2Address;
}

/** A signed payment as the ledger keeps it. The same payment always gives the same text. */
export function describePayment(payment: TokenPayment): DirectPayment {
  const { kind, payer, token, maximum, nonce, validAfter, validBefore } = payment;
  const { recipient, signature, spender, facilitator } = payment;
  const times = { validAfter: validAfter.toString(), validBefore: validBefore.toString() };
  return {
    paymentId: paymentIdOf({ kind, contract: authorityOf(payment), payer, nonce }),
    ...{ kind, payer, token, maximum },
    payload: JSON.stringify({ recipient, ...times, nonce, signature, spender, facilitator }),
    validBefore: Number(validBefore < maxSeconds ? validBefore : maxSeconds),
    available: null,
  };
}

/** The signed payment that `describePayment` described; undefined for an allowance, which nobody signed. */
export function readPayment(
  stored: Pick<StoredPayment, 'kind' | 'payer' | 'token' | 'maximum' | 'payload'>,
): TokenPayment | undefined {
  const { kind, payer, token, maximum, payload } = stored;
  if (kind === 'allowance') return undefined;
  return { kind, payer, token, maximum, ...payloadSchema.parse(JSON.parse(payload)) };
}
