import { z } from 'zod';
import { countSchema } from './words.ts';

const durationMs = countSchema(86_400_000);

/** `listen`: where the relay is reached. */
export const listenSchema = z.strictObject({
  host: z.string().min(1).max(255).default('127.0.0.1').describe('Address to listen on.'),
  port: z.number().int().min(0).max(65_535).default(4000).describe('0 picks a free one.'),
  trustedProxies: z
    .number()
    .int()
    .min(0)
    .max(8)
    .default(0)
    .describe(
      'How many proxies stand before the relay, each adding to X-Forwarded-For. 0: that header is not believed.',
    ),
});

/** `realm`: the name in challenges. */
export const realmSchema = z
  .string()
  .regex(/^[\x20-\x7e]{1,256}$/, 'must be 1 to 256 printable ASCII characters')
  .default('autopay.local');

/** `budgets`: what votes allow models to spend. Votes hold from the next day on, so minutes of an old knowledge do no harm; hours might. */
export const budgetsSchema = z.strictObject({
  maxStalenessSeconds: z
    .number()
    .int()
    .min(10)
    .max(3600)
    .default(300)
    .describe('What is known from longer ago decides nothing.'),
});

/** `collection`. The escrow pays a closing channel's payer back an hour after the request: ten minutes leave room for several tries. */
export const collectionSchema = z.strictObject({
  intervalSeconds: countSchema(600).default(60).describe('How often what is owed is collected.'),
  maxClaims: countSchema(200).default(100).describe('Channels in one transaction.'),
});

/** `disputes`. The contract gives a day to answer a challenge: an hour leaves room for many tries. */
export const disputesSchema = z.strictObject({
  intervalSeconds: countSchema(3600).default(60).describe('How often disputes are looked at.'),
});

/** `limits`: bounds of calls. */
export const limitsSchema = z.strictObject({
  maxBodyBytes: countSchema(256 * 2 ** 20)
    .default(4 * 2 ** 20)
    .describe('Of a request.'),
  maxResponseBytes: countSchema(2 ** 30)
    .default(32 * 2 ** 20)
    .describe('Of an answer.'),
  connectTimeoutMs: durationMs.default(10_000).describe('To open a connection to a provider.'),
  headersTimeoutMs: durationMs.default(60_000).describe('From a sent request to the headers of its answer.'),
  idleTimeoutMs: durationMs.default(60_000).describe('Between two pieces of an answer; of a write to the client.'),
  // A call that is under way when its payer closes must end, and be collected, within the escrow's hour of grace.
  callTimeoutMs: countSchema(1_200_000).default(600_000).describe('Of a call, all attempts included.'),
  drainTimeoutMs: z
    .int()
    .min(0)
    .max(600_000)
    .default(120_000)
    .describe(
      'How long a provider is read on, to its usage, after the client has gone. 0: it is cancelled at once, and what was read is charged as an estimate.',
    ),
  maxConcurrentCalls: countSchema(100_000).default(1024).describe('More are refused with 503.'),
});
