import { z } from 'zod';
import type { Hex } from '../bytes/hex.ts';
import { addressSchema, amountSchema, authorizationSchema, uint256Schema } from '../payments/value-schemas.ts';

/** 65 bytes of a key's, or up to 1 KiB of a contract's (ERC-1271). */
const signatureSchema = z
  .string()
  .regex(/^0x(?:[0-9a-fA-F]{2}){65,1024}$/)
  .transform((value) => value.toLowerCase() as Hex);

/** `payload` of scheme `exact` with EIP-3009 (x402 v2 and v1, "exact" on EVM). */
export const eip3009PayloadSchema = z.object({
  signature: signatureSchema,
  authorization: authorizationSchema,
});

const permit2Fields = {
  from: addressSchema,
  permitted: z.object({ token: addressSchema, amount: amountSchema }),
  spender: addressSchema,
  nonce: uint256Schema,
  deadline: uint256Schema,
};

/** `payload` of scheme `exact` with Permit2. */
export const permit2ExactPayloadSchema = z.object({
  signature: signatureSchema,
  permit2Authorization: z.object({
    ...permit2Fields,
    witness: z.object({ to: addressSchema, validAfter: uint256Schema }),
  }),
});

/** `payload` of scheme `upto`. */
export const permit2UptoPayloadSchema = z.object({
  signature: signatureSchema,
  permit2Authorization: z.object({
    ...permit2Fields,
    witness: z.object({ to: addressSchema, facilitator: addressSchema, validAfter: uint256Schema }),
  }),
});

const schemeSchema = z.enum(['exact', 'upto']);
/** CAIP-2 (`eip155:8453`), or in v1 also a name (`base`). */
const networkSchema = z.string().min(1).max(64);

/** The JSON of `PAYMENT-SIGNATURE` (x402 v2); `resource` and `extensions` bind nothing and are not read. */
export const paymentPayloadV2Schema = z.object({
  x402Version: z.literal(2),
  accepted: z.object({
    scheme: schemeSchema,
    network: networkSchema,
    asset: addressSchema,
    amount: amountSchema,
    payTo: addressSchema,
  }),
  payload: z.record(z.string().max(64), z.unknown()),
});

/** The JSON of `X-PAYMENT` (x402 v1). */
export const paymentPayloadV1Schema = z.object({
  x402Version: z.literal(1),
  scheme: schemeSchema,
  network: networkSchema,
  payload: z.record(z.string().max(64), z.unknown()),
});
