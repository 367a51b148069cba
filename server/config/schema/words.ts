import { z } from 'zod';
import { decimalPattern } from '../parse-decimal.ts';

/** What clients and providers call a model. */
export const nameSchema = z
  .string()
  .regex(/^[^\s\p{Cc}]{1,128}$/u, 'must be 1 to 128 characters without spaces or control characters');

/** Provider names and regions become parts of a deployment's id, `provider@region`. */
export const idPartSchema = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, ".", "_" or "-"');

/** Money, in whole units. */
export const decimalSchema = z
  .string({ error: 'must be an amount in quotes, such as "0.15" (a bare number would pass through floating point)' })
  .regex(decimalPattern, 'must be a decimal amount, such as "0.15"');

/** An endpoint; without its trailing slashes. */
export const httpUrlSchema = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .refine((value) => !value.includes('@'), 'must not carry credentials; name an environment variable instead')
  .transform((value) => value.replace(/\/+$/, ''));

/** The name of an environment variable that holds a secret. */
export const variableSchema = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be the name of an environment variable, never the key itself');

/** A currency or token, as people write it. */
export const symbolSchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,16}$/, 'must be 1 to 16 printable ASCII characters without spaces');

/** A whole number from 1. */
export const countSchema = (most: number) => z.number().int().min(1).max(most);
