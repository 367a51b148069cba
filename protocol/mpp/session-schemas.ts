import { z } from 'zod';
import type { Hex } from '../bytes/hex.ts';
import {
  addressSchema,
  amountSchema,
  authorizationSchema,
  bytes32Schema,
  signatureSchema,
} from '../payments/value-schemas.ts';

/** `request` of an `evm/session` challenge (MPP EVM session draft, "Request Schema"). */
export const sessionRequestSchema = z.object({
  /** Price of one unit, in atomic units. */
  amount: amountSchema,
  unitType: z.string().max(64).optional(),
  suggestedDeposit: amountSchema.optional(),
  currency: addressSchema,
  recipient: addressSchema,
  methodDetails: z.object({
    chainId: z.number().int().positive(),
    escrowContract: addressSchema,
    channelId: bytes32Schema.optional(),
    minVoucherDelta: amountSchema.optional(),
    feePayer: z.boolean().optional(),
    credentialTypes: z.array(z.string().max(32)).max(8).optional(),
  }),
});

const voucherFields = {
  channelId: bytes32Schema,
  cumulativeAmount: amountSchema,
  signature: signatureSchema,
};

/** A deposit by EIP-3009 whose transaction the relay sends. */
const depositFields = {
  type: z.literal('authorization'),
  authorization: authorizationSchema,
  /** Of the authorization. */
  signature: signatureSchema,
  salt: bytes32Schema,
};

/** `deposit` of a voucher: a deposit and a voucher in one round trip. */
const depositSchema = z.discriminatedUnion('action', [
  z.object({ action: z.literal('open'), ...depositFields, authorizedSigner: addressSchema.optional() }),
  z.object({ action: z.literal('topUp'), ...depositFields }),
]);

/** `payload` of an `evm/session` credential (draft, "Payload Actions"); what this relay takes of it, all but Permit2. */
export const sessionPayloadSchema = z.discriminatedUnion('action', [
  z.discriminatedUnion('type', [
    z.object({
      action: z.literal('open'),
      type: z.literal('hash'),
      hash: bytes32Schema,
      salt: bytes32Schema,
      authorizedSigner: addressSchema.optional(),
      ...voucherFields,
    }),
    z.object({
      action: z.literal('open'),
      ...depositFields,
      authorizedSigner: addressSchema.optional(),
      channelId: bytes32Schema,
      cumulativeAmount: amountSchema,
      voucherSignature: signatureSchema,
    }),
  ]),
  z.discriminatedUnion('type', [
    z.object({
      action: z.literal('topUp'),
      type: z.literal('hash'),
      channelId: bytes32Schema,
      hash: bytes32Schema,
      additionalDeposit: amountSchema,
    }),
    z.object({
      action: z.literal('topUp'),
      ...depositFields,
      channelId: bytes32Schema,
      additionalDeposit: amountSchema,
    }),
  ]),
  z.object({ action: z.literal('voucher'), ...voucherFields, deposit: depositSchema.optional() }),
  z.object({ action: z.literal('close'), ...voucherFields }),
]);
export type SessionPayload = z.output<typeof sessionPayloadSchema>;

/** `request` of an `evm/charge` challenge (MPP EVM charge draft, "Request Schema"). */
export const chargeRequestSchema = z.object({
  /** What the payment has to be, in atomic units. */
  amount: amountSchema,
  currency: addressSchema,
  recipient: addressSchema,
  methodDetails: z.object({
    chainId: z.number().int().positive(),
    credentialTypes: z.array(z.string().max(32)).max(8).optional(),
    decimals: z.number().int().min(0).max(255).optional(),
  }),
});

/** `payload` of an `evm/charge` credential of type `authorization`. */
export const chargePayloadSchema = authorizationSchema.extend({
  type: z.literal('authorization'),
  signature: z
    .string()
    .regex(/^0x(?:[0-9a-fA-F]{2}){65,2048}$/)
    .transform((value) => value.toLowerCase() as Hex),
});

/** `challenge` as a credential echoes it (draft-httpauth-payment, "Credentials"). */
export const challengeEchoSchema = z.object({
  id: z.string().min(1).max(128),
  realm: z.string().max(256),
  method: z.string().max(32),
  intent: z.string().max(32),
  request: z.string().max(4096),
  expires: z.string().max(64).optional(),
  digest: z.string().max(128).optional(),
  opaque: z.string().max(2048).optional(),
  description: z.string().max(1024).optional(),
});
export type ChallengeEcho = z.output<typeof challengeEchoSchema>;

/** The JSON of `Authorization: Payment …`. */
export const credentialSchema = z.object({
  challenge: challengeEchoSchema,
  source: z.string().max(256).optional(),
  payload: z.record(z.string(), z.unknown()),
});
export type Credential = z.output<typeof credentialSchema>;
