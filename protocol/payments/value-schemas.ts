import { z } from 'zod';
import type { Hex } from '../bytes/hex.ts';

/*
 * How values are written in JSON on the wire, whichever way a call is paid.
 */

/** A 20-byte address in any case; normalised to lower case. */
export const addressSchema = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/)
  .transform((value) => value.toLowerCase() as Hex);

/** 32 bytes as 0x-hex; normalised to lower case. */
export const bytes32Schema = z
  .string()
  .regex(/^0x[0-9a-fA-F]{64}$/)
  .transform((value) => value.toLowerCase() as Hex);

/** A 65-byte signature as 0x-hex. */
export const signatureSchema = z
  .string()
  .regex(/^0x[0-9a-fA-F]{130}$/)
  .transform((value) => value.toLowerCase() as Hex);

/** A decimal string without sign or leading zeros: one number is written in one way. */
function decimalSchema(bits: 128 | 256) {
  return z
    .string()
    .regex(bits === 128 ? /^(?:0|[1-9][0-9]{0,38})$/ : /^(?:0|[1-9][0-9]{0,77})$/)
    .transform((value) => BigInt(value))
    .refine((value) => value >> BigInt(bits) === 0n, `beyond uint${bits}`);
}

/** An amount in atomic units, within uint128. */
export const amountSchema = decimalSchema(128);

/** A number of 256 bits, such as a time or a nonce. */
export const uint256Schema = decimalSchema(256);

/** The fields of an EIP-3009 authorization, as x402 and both MPP intents have them; times are Unix seconds. */
export const authorizationSchema = z.object({
  from: addressSchema,
  to: addressSchema,
  value: amountSchema,
  validAfter: uint256Schema,
  validBefore: uint256Schema,
  nonce: bytes32Schema,
});
