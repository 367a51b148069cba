import { z } from 'zod';
import { addressSchema } from '../../protocol/payments/value-schemas.ts';
import { durationSchema, metadataSchema, modelsSchema, nameSchema, perMinuteSchema } from './key-schemas.ts';

/** `null`, `{}`, `[]`, `""`, `false` or 0: what clients send for options that they do not use. */
const unused = z
  .unknown()
  .refine(
    (value) => !value || (typeof value === 'object' && Object.keys(value).length === 0),
    'is not supported by this relay; leave it out',
  )
  .optional();

/** LiteLLM's options that this relay does not have: taken as long as they ask for nothing. An ignored limit would be worse than a refused one. */
const unsupported = {
  ...{ aliases: unused, config: unused, permissions: unused, spend: unused, budget_id: unused, tags: unused },
  ...{ max_parallel_requests: unused, soft_budget: unused, model_max_budget: unused, model_rpm_limit: unused },
  ...{ model_tpm_limit: unused, guardrails: unused, blocked: unused, allowed_cache_controls: unused, key: unused },
  ...{ send_invite_email: unused, enforced_params: unused, allowed_routes: unused, organization_id: unused },
};

/** An amount of the price currency. */
const budgetSchema = z.union([z.number().min(0), z.string().max(80)]).nullable();

const terms = z
  .object({
    key_alias: nameSchema.nullable(),
    /** The project. */
    team_id: z.string().max(64).nullable(),
    models: modelsSchema.nullable(),
    metadata: metadataSchema.nullable(),
    max_budget: budgetSchema,
    budget_duration: durationSchema.nullable(),
    /** How long the key lives from now; null for ever. */
    duration: durationSchema.nullable(),
    rpm_limit: perMinuteSchema.nullable(),
    tpm_limit: perMinuteSchema.nullable(),
  })
  .partial();

/** The body of `POST /key/generate`. */
export const generateKeySchema = z.strictObject({
  ...terms.shape,
  ...unsupported,
  /** The payer: a wallet's address. */
  user_id: addressSchema,
  /** Symbol or address of what it pays in; not LiteLLM's. */
  token: z.string().min(1).max(42).optional(),
});

/** The body of `POST /key/update`. */
export const updateKeySchema = z.strictObject({
  ...terms.shape,
  ...unsupported,
  /** The key, its hash, or its id. */
  key: z.string().min(1).max(128),
  user_id: addressSchema.nullable().optional(),
});

/** The body of `POST /key/delete`. */
export const deleteKeysSchema = z.strictObject({
  keys: z.array(z.string().min(1).max(128)).min(1).max(100),
  key_aliases: unused,
});

const date = z
  .string()
  .refine(
    (text) => /^\d{4}-\d{2}-\d{2}(?:[T ].*)?$/.test(text) && !Number.isNaN(Date.parse(text)),
    'must be a date, as in 2026-11-21',
  );

/** The query of `GET /spend/logs`. */
export const spendLogsSchema = z.strictObject({
  api_key: z.string().min(1).max(128).optional(),
  user_id: addressSchema.optional(),
  request_id: z.string().max(64).optional(),
  start_date: date.optional(),
  end_date: date.optional(),
  summarize: z.enum(['true', 'false']).default('true'),
});

export type GenerateKey = z.output<typeof generateKeySchema>;
export type UpdateKey = z.output<typeof updateKeySchema>;
export type SpendLogsQuery = z.output<typeof spendLogsSchema>;
