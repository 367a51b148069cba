import { z } from 'zod';
import { noteTypes, parseVerifierKey } from '../../../protocol/log/signed-note.ts';
import { ipfsSchema } from './ipfs-section.ts';
import { countSchema, httpUrlSchema } from './words.ts';

const witnessSchema = z.strictObject({
  url: httpUrlSchema.describe('Its submission prefix: what `/add-checkpoint` is added to.'),
  key: z
    .string()
    .refine(isWitnessKey, 'must be the verifier key of a witness (type 4), as `autopay witness key` prints it')
    .describe('What checks its cosignatures.'),
});

function isWitnessKey(text: string): boolean {
  try {
    return parseVerifierKey(text).type === noteTypes.cosignature;
  } catch {
    return false;
  }
}

/** A dispute takes receipts up to 30 days old, and is ruled on within 14 more (`MAX_RECEIPT_AGE`, `RULING_WINDOW`); the rest is for clocks. */
const minEvidenceDays = 60;

/** `audit`: the log of receipts. */
export const auditSchema = z.strictObject({
  intervalSeconds: countSchema(86_400).default(30).describe('How often the log is anchored.'),
  maxUnanchoredEntries: countSchema(1_000_000)
    .default(10_000)
    .describe('So many receipts without an anchor are anchored before the interval is over.'),
  witnesses: z
    .array(witnessSchema)
    .max(32)
    .default([])
    .describe('Who is asked to cosign each checkpoint (C2SP tlog-witness).'),
  requiredCosignatures: z
    .int()
    .min(0)
    .max(32)
    .default(0)
    .describe('How many of the witnesses must have cosigned what is anchored. Calls never wait for them.'),
  maxMergeDelaySeconds: countSchema(3600)
    .default(5)
    .describe(
      'A receipt is in a signed checkpoint after this long at most. It has to be below what `BillingDisputes` allows (its `maxMergeDelay`).',
    ),
  maxCheckpointAgeSeconds: countSchema(86_400)
    .default(600)
    .describe(
      'A checkpoint that is older is signed again, though no receipt came: a reader sees that the log is alive.',
    ),
  evidenceRetentionDays: z
    .int()
    .min(minEvidenceDays)
    .max(36_500)
    .default(400)
    .describe(
      `How long evidence documents of answers are kept, and the attestations that they name. At least ${minEvidenceDays}, so that no dispute misses them; receipts and their tiers stay for ever.`,
    ),
  ipfs: ipfsSchema.prefault({}).describe('Who keeps the blocks of the log besides the relay.'),
});
