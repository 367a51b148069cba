import { z } from 'zod';
import { amountSchema, bytes32Schema, signatureSchema } from '../../protocol/payments/value-schemas.ts';
import { isDuration } from './budget-period.ts';

/** A duration such as `30d`. */
export const durationSchema = z.string().refine(isDuration, 'must be a duration, such as 30d (s, m, h, d, w or mo)');

/** A limit per minute. */
export const perMinuteSchema = z.number().int().min(1).max(1_000_000_000);

/** A name that people give. */
export const nameSchema = z
  .string()
  .trim()
  .min(1)
  .max(128)
  .regex(/^[^\p{Cc}]*$/u, 'must not have control characters');

const maxMetadataLength = 8_192;

/** The payer's own words on a key or project; kept and given back, never read. */
export const metadataSchema = z
  .record(z.string(), z.unknown())
  .refine(
    (value) => JSON.stringify(value).length <= maxMetadataLength,
    `must be at most ${maxMetadataLength} characters`,
  );

/** Models that may be called. An empty list allows all, as in LiteLLM. */
export const modelsSchema = z.array(z.string().min(1).max(128)).max(256);

const shared = {
  name: nameSchema,
  metadata: metadataSchema,
  models: modelsSchema.nullable(),
  /** Atomic units of the token; null for no cap. */
  budget: amountSchema.nullable(),
  budget_duration: durationSchema.nullable(),
};

const limits = {
  rpm_limit: perMinuteSchema.nullable(),
  tpm_limit: perMinuteSchema.nullable(),
  /** When the key lapses. */
  expires_at: z.iso.datetime({ offset: true }).nullable(),
  /** How long it lives from now, instead of `expires_at`. */
  duration: durationSchema.nullable(),
  manages: z.boolean(),
  project_id: z.string().max(64).nullable(),
};

/** Symbol or address of a token. */
const tokenNameSchema = z.string().min(1).max(42);

/** The body of `POST /v1/keys`. */
export const createKeySchema = z.strictObject({
  ...z.object({ ...shared, ...limits }).partial().shape,
  token: tokenNameSchema.optional(),
  mode: z.enum(['channel', 'allowance']).default('channel'),
});

/** The body of `PATCH /v1/keys/{id}`: what is not named stays. */
export const changeKeySchema = z.strictObject({ ...shared, ...limits }).partial();

/** The body of `POST /v1/projects`. */
export const createProjectSchema = z.strictObject({
  ...z.object(shared).partial().shape,
  name: nameSchema,
  token: tokenNameSchema.optional(),
});

/** The body of `PATCH /v1/projects/{id}`. */
export const changeProjectSchema = z.strictObject(shared).partial();

/** The body of `POST /v1/keys/headroom`: a voucher. */
export const headroomSchema = z.strictObject({
  channelId: bytes32Schema,
  cumulativeAmount: amountSchema,
  signature: signatureSchema,
});

/** The body of `POST /v1/auth/login`. */
export const loginSchema = z.strictObject({
  message: z.string().min(1).max(4_096),
  /** 65 bytes of an account, or what a contract wallet takes (at most 4 KiB). */
  signature: z.string().regex(/^0x(?:[0-9a-fA-F]{2}){1,4096}$/, 'must be a signature as 0x-hex'),
});

/** What a key is made of; absent: the default, or what it was. */
export type KeyChange = z.output<typeof changeKeySchema>;
export type KeyTerms = z.output<typeof createKeySchema>;
export type ProjectChange = z.output<typeof changeProjectSchema>;
export type ProjectTerms = z.output<typeof createProjectSchema>;
