import { z } from 'zod';
import { contractAddressesSchema } from '../../protocol/deployment/deployment-schema.ts';
import { addressSchema } from '../../protocol/mpp/session-schemas.ts';
import { decimalPattern } from './parse-decimal.ts';

const name = z
  .string()
  .regex(/^[^\s\p{Cc}]{1,128}$/u, 'must be 1 to 128 characters without spaces or control characters');

/** Provider names and regions become parts of a deployment's id, `provider@region`. */
const idPart = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, ".", "_" or "-"');

const decimal = z
  .string({ error: 'must be an amount in quotes, such as "0.15" (a bare number would pass through floating point)' })
  .regex(decimalPattern, 'must be a decimal amount, such as "0.15"');

const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .refine((value) => !value.includes('@'), 'must not carry credentials; name an environment variable instead')
  .transform((value) => value.replace(/\/+$/, ''));

const count = (most: number) => z.number().int().min(1).max(most);
const durationMs = count(86_400_000);

const priceSchema = z.strictObject({
  prompt: decimal,
  completion: decimal,
  cachedPrompt: decimal.optional(),
  cacheWrite: decimal.optional(),
  audioPrompt: decimal.optional(),
  audioCompletion: decimal.optional(),
  request: decimal.default('0'),
});

const deploymentSchema = z.strictObject({
  provider: idPart,
  model: name,
  region: idPart.default('default'),
});

const routeSchema = z.strictObject({
  model: name,
  deployments: z.array(deploymentSchema).min(1).max(16),
  free: z.boolean().default(false),
  price: priceSchema.optional(),
  contextTokens: count(100_000_000).default(128_000),
  maxOutputTokens: count(10_000_000).default(16_384),
  defaultMaxOutputTokens: count(10_000_000).optional(),
  outputLimitParameter: z.enum(['max_completion_tokens', 'max_tokens']).default('max_completion_tokens'),
});

const symbol = z.string().regex(/^[\x21-\x7e]{1,16}$/, 'must be 1 to 16 printable ASCII characters without spaces');

/** How prices become this token: not at all (the first token, if prices are in it), by a fixed rate, or by an oracle. */
const tokenSchema = z.strictObject({
  symbol,
  address: addressSchema,
  decimals: z.number().int().min(0).max(30),
  /** Whole tokens per unit of the price currency. */
  rate: decimal.optional(),
  /** Converted from US dollars at the round of `contracts.priceOracle`. */
  oracle: z.boolean().default(false),
});

const providerSchema = z.strictObject({
  name: idPart,
  baseUrl: httpUrl,
  apiKeyEnv: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be the name of an environment variable, never the key itself')
    .optional(),
});

/**
 * `autopay.yaml` as it is written: every key that there is. Money is in units of the price currency (whole tokens, or US
 * dollars), as decimal strings; prices are per 1,000,000 tokens (`request`: per call). Keys that are not here are errors, because an ignored setting is worse
 * than a refused one.
 */
export const configFileSchema = z.strictObject({
  listen: z
    .strictObject({
      host: z.string().min(1).max(255).default('127.0.0.1'),
      port: z.number().int().min(0).max(65_535).default(4000),
    })
    .prefault({}),
  realm: z
    .string()
    .regex(/^[\x20-\x7e]{1,256}$/, 'must be 1 to 256 printable ASCII characters')
    .default('autopay.local'),
  chain: z.strictObject({
    id: count(Number.MAX_SAFE_INTEGER),
    rpcUrl: httpUrl,
    deployedAtBlock: z.number().int().min(0),
    // Read again at each poll, for reorganisations, and for nodes behind one endpoint that are not equally far. 512 blocks are two
    // minutes where a block takes 250 ms (Arbitrum), and more elsewhere; set more where blocks are faster.
    reorgMarginBlocks: count(100_000).default(512),
    // Of one log query. Endpoints that take fewer blocks refuse the query, so that nothing is lost; set then what they take.
    maxBlocksPerQuery: count(1_000_000).default(10_000),
    // An endpoint whose newest block is older counts as unreachable: no prices, then no budgets. Not applied to chain 31337, which
    // makes blocks on demand. Tokens with an oracle need a block at least every minute, whatever is set here.
    maxHeadAgeSeconds: z.number().int().min(10).max(3600).default(120),
  }),
  contracts: z.strictObject(contractAddressesSchema.shape),
  tokens: z.array(tokenSchema).min(1).max(8),
  priceCurrency: symbol.optional(),
  providers: z.array(providerSchema).min(1).max(64),
  routes: z.array(routeSchema).min(1).max(4096),
  payment: z
    .strictObject({ suggestedDeposit: decimal.default('5'), challengeTtlSeconds: count(86_400).default(3600) })
    .prefault({}),
  // Votes change limits from the next day on, so minutes of an old knowledge do no harm; hours might.
  budgets: z.strictObject({ maxStalenessSeconds: z.number().int().min(10).max(3600).default(300) }).prefault({}),
  // The escrow pays a closing channel's payer back an hour after the request: ten minutes leave room for several tries.
  collection: z
    .strictObject({ intervalSeconds: count(600).default(60), maxClaims: count(200).default(100) })
    .prefault({}),
  audit: z.strictObject({ intervalSeconds: count(86_400).default(30) }).prefault({}),
  limits: z
    .strictObject({
      maxBodyBytes: count(256 * 2 ** 20).default(4 * 2 ** 20),
      maxResponseBytes: count(2 ** 30).default(32 * 2 ** 20),
      headersTimeoutMs: durationMs.default(60_000),
      idleTimeoutMs: durationMs.default(60_000),
      // A call that is under way when its payer closes must end, and be collected, within the escrow's hour of grace.
      callTimeoutMs: count(1_200_000).default(600_000),
      drainTimeoutMs: count(600_000).default(120_000),
      maxConcurrentCalls: count(100_000).default(1024),
    })
    .prefault({}),
});

const { tokens, priceCurrency, routes } = configFileSchema.shape;
/** What of the file makes the price table. */
export const priceFileSchema = z.object({ tokens, priceCurrency, routes });

/** The parsed part of the file that makes the price table. */
export type PriceFile = z.output<typeof priceFileSchema>;

/** The parsed file, before amounts are converted and names are resolved. */
export type ConfigFile = z.output<typeof configFileSchema>;
