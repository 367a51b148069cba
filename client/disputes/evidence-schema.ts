import { z } from 'zod';
import { zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { addressSchema, amountSchema, bytes32Schema } from '../../protocol/payments/value-schemas.ts';

/** Longest proof: a tree of 2^48 entries has fewer levels. */
const maxPathHashes = 64;

const bytesSchema = z
  .string()
  .regex(/^0x(?:[0-9a-fA-F]{2})*$/)
  .transform((value) => value.toLowerCase() as Hex);
const uint64Schema = z.union([z.number().int().min(0), z.string().regex(/^\d{1,20}$/)]).transform(BigInt);
const pathSchema = z.array(bytes32Schema).max(maxPathHashes);

/** A receipt with what proves that the relay gave it (IBillingDisputes.SignedReceipt); numbers may be decimal strings. */
export const signedReceiptSchema = z.strictObject({
  entry: bytesSchema,
  batch: z.strictObject({ root: bytes32Schema, size: uint64Schema, signedAtMs: uint64Schema }),
  index: uint64Schema,
  path: pathSchema,
  signature: bytesSchema,
});

/** An entry of the log with its place under an anchor (IBillingDisputes.AnchoredEntry). */
export const anchoredEntrySchema = z.strictObject({
  entry: bytesSchema,
  index: uint64Schema,
  anchor: z.strictObject({
    size: uint64Schema,
    previousSize: uint64Schema,
    anchoredAt: uint64Schema,
    root: bytes32Schema,
    cid: bytes32Schema,
  }),
  path: pathSchema,
});

/** A row of a published price table with its place in the table (IBillingDisputes.ProvenRow). */
const provenRowSchema = z.strictObject({
  row: z.strictObject({
    model: z.string(),
    token: addressSchema,
    inUsd: z.boolean(),
    prompt: amountSchema,
    cachedPrompt: amountSchema,
    cacheWrite: amountSchema,
    audioPrompt: amountSchema,
    completion: amountSchema,
    audioCompletion: amountSchema,
    request: amountSchema,
  }),
  index: uint64Schema,
  size: uint64Schema,
  path: pathSchema,
});

/** What a dispute is opened with, by kind (docs/PROTOCOL.md, "Evidence files"). */
export const evidenceSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('duplicate-sequence'),
    one: signedReceiptSchema,
    other: signedReceiptSchema,
  }),
  z.strictObject({
    kind: z.literal('wrong-running-total'),
    /** Null where `later` is the channel's first. */
    earlier: signedReceiptSchema.nullable(),
    later: signedReceiptSchema,
  }),
  z.strictObject({ kind: z.literal('rewritten-index'), earlier: anchoredEntrySchema, later: anchoredEntrySchema }),
  z.strictObject({ kind: z.literal('overcharge'), receipt: signedReceiptSchema, proven: provenRowSchema }),
  z.strictObject({ kind: z.literal('unpublished-prices'), receipt: signedReceiptSchema }),
  z.strictObject({
    kind: z.literal('settled-beyond-receipt'),
    channelId: bytes32Schema,
    /** Null where the payer never got a receipt. */
    last: signedReceiptSchema.nullable(),
  }),
  z.strictObject({ kind: z.literal('not-in-log'), receipt: signedReceiptSchema }),
  z.strictObject({
    kind: z.literal('metering'),
    receipt: signedReceiptSchema,
    /** Atomic units. */
    amount: amountSchema,
  }),
]);

/** Evidence for one dispute, as the contract takes it. */
export type Evidence = z.output<typeof evidenceSchema>;
/** A receipt as the contract takes it. */
export type SignedReceiptStruct = z.output<typeof signedReceiptSchema>;

/** What stands for "no receipt": the contract looks at the entry only. */
export const noReceipt: SignedReceiptStruct = {
  entry: '0x',
  batch: { root: zeroBytes32, size: 0n, signedAtMs: 0n },
  index: 0n,
  path: [],
  signature: '0x',
};
