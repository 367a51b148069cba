import { z } from 'zod';
import { contractAddressesSchema } from '../../protocol/deployment/deployment-schema.ts';
import { addressSchema } from '../../protocol/mpp/session-schemas.ts';
import { decimalPattern } from './parse-decimal.ts';

const name = z
  .string()
  .regex(/^[^\s\p{Cc}]{1,128}$/u, 'must be 1 to 128 characters without spaces or control characters');

/** The ways to pay, by the names of their methods. */
const paymentMethodNames = ['evm/session', 'x402', 'evm/charge', 'key'] as const;

/** Provider names and regions become parts of a deployment's id, `provider@region`. */
const idPart = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, ".", "_" or "-"');

const decimal = z
  .string({ error: 'must be an amount in quotes, such as "0.15" (a bare number would pass through floating point)' })
  .regex(decimalPattern, 'must be a decimal amount, such as "0.15"');

const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .refine((value) => !value.includes('@'), 'must not carry credentials; name an environment variable instead')
  .transform((value) => value.replace(/\/+$/, ''));

/** RFC 3986 authority without user information, as login messages (EIP-4361) name a site. */
const authority = z
  .string()
  .regex(/^[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?$/, 'must be a host, or host:port, without a scheme');

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
  // Whether streams of payers who sign small steps may begin with a first slice (payment.slices). Only for models whose whole output is
  // visible: what runs hidden (reasoning) is not counted while the stream runs, so nobody would have signed for it.
  firstSlice: z.boolean().default(false),
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
      // How many proxies stand before the relay, each adding to X-Forwarded-For. 0: that header is not believed.
      trustedProxies: z.number().int().min(0).max(8).default(0),
    })
    .prefault({}),
  realm: z
    .string()
    .regex(/^[\x20-\x7e]{1,256}$/, 'must be 1 to 256 printable ASCII characters')
    .default('autopay.local'),
  chain: z.strictObject({
    id: count(Number.MAX_SAFE_INTEGER),
    rpcUrl: httpUrl,
    // Without `contracts`: by default the one of addresses/<id>.json.
    deployedAtBlock: z.number().int().min(0).optional(),
    // Read again at each poll, for reorganisations, and for nodes behind one endpoint that are not equally far. 512 blocks are two
    // minutes where a block takes 250 ms (Arbitrum), and more elsewhere; set more where blocks are faster.
    reorgMarginBlocks: count(100_000).default(512),
    // Of one log query. Endpoints that take fewer blocks refuse the query, so that nothing is lost; set then what they take.
    maxBlocksPerQuery: count(1_000_000).default(10_000),
    // An endpoint whose newest block is older counts as unreachable: no prices, then no budgets. Not applied to chain 31337, which
    // makes blocks on demand. Tokens with an oracle need a block at least every minute, whatever is set here.
    maxHeadAgeSeconds: z.number().int().min(10).max(3600).default(120),
    // What a deposit waits for before it counts: that its block is safe (optimistic_rollups), finalized (zk-rollup), or nothing. By
    // default optimistic_rollups; none on chain 31337.
    strategy: z.enum(['none', 'optimistic_rollups', 'zk-rollup']).optional(),
    // Instead of what the strategy names: so many blocks after its own, or a block tag.
    confirmations: z.union([z.number().int().min(0).max(100_000), z.enum(['safe', 'finalized'])]).optional(),
    // Those of the relay's account.
    transactions: z
      .strictObject({
        // While the base fee is above this, nothing is sent. Collections of closing channels wait too: leave room.
        maxFeePerGasGwei: decimal.default('100'),
        // What is in no block by then is sent again with higher fees.
        replaceAfterSeconds: count(3600).default(30),
        // So many may be signed and in no block.
        maxUnmined: count(64).default(32),
      })
      .prefault({}),
  }),
  // By default those of addresses/<chain.id>.json, which `autopay deploy` writes.
  contracts: z.strictObject(contractAddressesSchema.shape).optional(),
  tokens: z.array(tokenSchema).min(1).max(8),
  priceCurrency: symbol.optional(),
  providers: z.array(providerSchema).min(1).max(64),
  routes: z.array(routeSchema).min(1).max(4096),
  payment: z
    .strictObject({
      suggestedDeposit: decimal.default('5'),
      challengeTtlSeconds: count(86_400).default(3600),
      // What is offered and taken, in this order; free routes need none. A payment by x402 or evm/charge costs the relay a transaction,
      // however little its call is charged: set `request` in the prices to cover it, or leave these out.
      methods: z
        .array(z.enum(paymentMethodNames))
        .min(1)
        .max(8)
        .default([...paymentMethodNames]),
      // On routes with firstSlice, streams of payers who sign small steps begin with the prompt and this much output, and stop for the
      // next voucher. Whoever prefers a refusal says "Prefer: handling=strict".
      slices: z
        .strictObject({
          enabled: z.boolean().default(true),
          outputTokens: count(100_000).default(128),
          waitSeconds: count(300).default(30),
        })
        .prefault({}),
      // Deposits by EIP-3009 authorization, whose transaction the relay sends, and pays for; closes count in the rates too.
      sponsorship: z
        .strictObject({
          enabled: z.boolean().default(true),
          // Percent of suggestedDeposit: smaller deposits are not worth their fee.
          minDepositPercent: count(100).default(20),
          perPayerPerHour: count(10_000).default(12),
          perHour: count(1_000_000).default(1_200),
        })
        .prefault({}),
      x402: z
        .strictObject({
          // Verifies payments, and settles those of the scheme exact, in the relay's place; upto is not offered then.
          facilitatorUrl: httpUrl.optional(),
        })
        .prefault({}),
    })
    .prefault({}),
  keys: z
    .strictObject({
      // What wallets sign in to: the host (and port) that people see. By default 127.0.0.1 and localhost with the relay's port.
      domains: z.array(authority).min(1).max(16).optional(),
      sessionTtlSeconds: z.number().int().min(60).max(86_400).default(3600),
      // What a payer is asked to sign for its keys that has spent nothing yet, in the price currency: about a day's worth.
      suggestedHeadroom: decimal.default('1'),
    })
    .prefault({}),
  // Of free routes, for each client address (IPv6: for each /64).
  free: z
    .strictObject({
      requestsPerMinute: count(1_000_000).default(60),
      requestsPerDay: count(1_000_000_000).default(2_000),
    })
    .prefault({}),
  // Votes change limits from the next day on, so minutes of an old knowledge do no harm; hours might.
  budgets: z.strictObject({ maxStalenessSeconds: z.number().int().min(10).max(3600).default(300) }).prefault({}),
  // The escrow pays a closing channel's payer back an hour after the request: ten minutes leave room for several tries.
  collection: z
    .strictObject({ intervalSeconds: count(600).default(60), maxClaims: count(200).default(100) })
    .prefault({}),
  audit: z.strictObject({ intervalSeconds: count(86_400).default(30) }).prefault({}),
  // How often disputes are looked at. The contract gives a day to answer a challenge: an hour leaves room for many tries.
  disputes: z.strictObject({ intervalSeconds: count(3600).default(60) }).prefault({}),
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
