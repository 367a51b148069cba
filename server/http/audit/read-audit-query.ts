import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { addressSchema } from '../../../protocol/payments/value-schemas.ts';
import { readQuery } from '../keys/read-json.ts';

/** A position, size or id. */
const count = z
  .string()
  .regex(/^\d{1,15}$/, 'has to be a whole number')
  .transform(Number);

/** A position that a cursor can hold, of 48 bits. */
const position = z
  .string()
  .regex(/^\d{1,14}$/, 'has to be a whole number of at most 14 digits')
  .transform(Number);

/** The most of a list, from 1. */
const limitUpTo = (most: number) =>
  count.refine((limit) => limit >= 1 && limit <= most, `has to be from 1 to ${most.toLocaleString('en-US')}`);

/** RFC 3339 (with its offset from UTC) or unix milliseconds; as unix milliseconds. */
const time = z.union(
  [
    z
      .string()
      .regex(/^\d{1,15}$/)
      .transform(Number),
    z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
  ],
  'has to be RFC 3339, such as 2026-11-21T00:00:00Z, or unix milliseconds',
);

const order = z.enum(['asc', 'desc']);
const cursor = z.string().max(128);

/** The most calls of a page. */
export const maxCallsPerPage = 1_000;

/** The query of `GET /v1/audit/calls`. */
export const callsQuerySchema = z.strictObject({
  payer: addressSchema.optional(),
  key_id: z.string().max(64).optional(),
  model: z.string().min(1).max(256).optional(),
  provider: z.string().min(1).max(128).optional(),
  chain_id: count.optional(),
  since: time.optional(),
  until: time.optional(),
  order: order.default('desc'),
  from: position.optional(),
  cursor: cursor.optional(),
  limit: count.optional(),
  format: z.enum(['json', 'ndjson', 'csv']).optional(),
});

/** The query of `GET /v1/audit/bookings`. */
export const bookingsQuerySchema = z.strictObject({
  payer: addressSchema.optional(),
  chain_id: count.optional(),
  order: order.default('desc'),
  cursor: cursor.optional(),
  limit: limitUpTo(100).default(20),
});

/** The query of `GET /v1/audit/entries`. */
export const entriesQuerySchema = z.strictObject({
  from: count.default(0),
  limit: limitUpTo(1_000).default(100),
});

/** The query of `GET /v1/audit/proof/inclusion`. */
export const inclusionQuerySchema = z.strictObject({
  index: count.optional(),
  callId: z.string().max(64).optional(),
  size: count.optional(),
});

/** The query of `GET /v1/audit/proof/consistency`. */
export const consistencyQuerySchema = z.strictObject({ from: count, to: count.optional() });

/**
 * The query of a request. A filter that is not understood would show more than was asked for, so unknown and repeated parameters are
 * refused by name.
 *
 * @throws AutoPayError `unsupported_parameter`, `invalid_request`
 */
export function readAuditQuery<T extends z.ZodObject>(request: Pick<IncomingMessage, 'url'>, schema: T): z.output<T> {
  const { searchParams } = new URL(request.url ?? '/', 'http://relay');
  const known = Object.keys(schema.shape);
  for (const name of searchParams.keys()) {
    const param = name.slice(0, 64);
    if (!known.includes(name)) {
      const message = `There is no parameter "${param}" here. There are ${known.join(', ')}.`;
      throw new AutoPayError('unsupported_parameter', message, { param });
    }
    if (searchParams.getAll(name).length > 1) {
      throw new AutoPayError('invalid_request', `"${param}" stands more than once. Send it once.`, { param });
    }
  }
  return readQuery(request, schema);
}
