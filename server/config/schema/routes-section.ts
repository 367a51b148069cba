import { z } from 'zod';
import { priceCeilingPattern } from '../parse-price-ceiling.ts';
import { deploymentRouting, routeRouting } from '../routing-schema.ts';
import { countSchema, decimalSchema, idPartSchema, nameSchema } from './words.ts';

/** What a call costs, in the price currency: per 1,000,000 tokens, and per call. */
export const priceSchema = z.strictObject({
  prompt: decimalSchema.describe('Prompt tokens.'),
  completion: decimalSchema.describe('Completion tokens, reasoning included.'),
  cachedPrompt: decimalSchema.optional().describe('Prompt tokens from the provider’s cache. Default: as `prompt`.'),
  cacheWrite: decimalSchema
    .optional()
    .describe(
      'Prompt tokens written to it. Default: as `prompt`. Anthropic bills up to twice its price of a prompt token, as the client asks.',
    ),
  audioPrompt: decimalSchema.optional().describe('Audio tokens of the prompt. Default: as `prompt`.'),
  audioCompletion: decimalSchema.optional().describe('Audio tokens of the answer. Default: as `completion`.'),
  request: decimalSchema.default('0').describe('Each call, besides its tokens.'),
});

/** What a provider bills the relay, in the price currency per 1,000,000 tokens. */
const costSchema = z.strictObject({
  prompt: decimalSchema.describe('Prompt tokens.'),
  completion: decimalSchema.describe('Completion tokens.'),
});

/** One of a route's deployments. Settings of routing that belong to one deployment stand here. */
const deploymentSchema = z.strictObject({
  provider: idPartSchema.describe('A name of `providers`, or of the catalogue.'),
  model: nameSchema.describe('The model’s name; at the provider, unless its `models` gives another.'),
  region: idPartSchema.default('default').describe('Tells deployments of one provider apart: `provider@region`.'),
  cost: costSchema
    .optional()
    .describe(
      'What the provider bills per 1,000,000 tokens, in the price currency. Compared with `maxPrice`, and by `cost-based`.',
    ),
  ...deploymentRouting,
});

/** Answers that are sold again to the same request. */
const cacheSchema = z.strictObject({
  ttlSeconds: countSchema(86_400).describe('How long an answer may be sold again.'),
  price: decimalSchema.describe(
    'Of an answer from the cache, whatever its tokens; above zero. A row of the price table: `<model>@cache`.',
  ),
  scope: z
    .enum(['payer', 'shared'])
    .default('payer')
    .describe('`payer`: to the same channel, API key or wallet only. `shared`: to every payer.'),
});

/** The most that a model answers, where nothing says how much that is. */
export const defaultMaxOutputTokens = 16_384;

/** One of `routes`: a name that clients ask for. Settings of routing that belong to a route stand here. */
export const routeSchema = z.strictObject({
  model: nameSchema.describe('What clients send as `model`.'),
  deployments: z.array(deploymentSchema).max(16).default([]).describe('Who answers. At least one, but for `auto`.'),
  free: z.boolean().default(false).describe('Nobody pays.'),
  price: priceSchema
    .optional()
    .describe('Per 1,000,000 tokens, in the price currency. Needed here or in `prices`, unless `free`.'),
  maxPrice: z
    .string()
    .regex(priceCeilingPattern, 'must be an amount such as 0.12 AGPT/1k tokens')
    .optional()
    .describe(
      'Price ceiling, such as `0.12 AGPT/1k tokens`: no kind of token may cost more when a call is quoted, and deployments that cost more are left out.',
    ),
  cache: cacheSchema
    .optional()
    .describe(
      'Has answers kept in memory, to be sold again to the same request, byte for byte. The provider `cache` needs a payout address, as every other.',
    ),
  search: z
    .boolean()
    .default(false)
    .describe(
      'Whether chat completions may say `search` and `search_parameters`, as at BlockRun. Providers bill a search beside its tokens, by the source or by the call: `price.request` has to cover 20 sources, the most that a request may ask for, and is charged for each call of the route.',
    ),
  ...routeRouting,
  contextTokens: countSchema(100_000_000).default(128_000).describe('The model’s context window.'),
  maxOutputTokens: countSchema(10_000_000)
    .default(defaultMaxOutputTokens)
    .describe('A client’s limit above this is lowered to it.'),
  defaultMaxOutputTokens: countSchema(10_000_000)
    .optional()
    .describe('Limit of a request that sets none. Default: 4096, or `maxOutputTokens` if that is less.'),
  embeddingDimensions: countSchema(65_536)
    .default(3_072)
    .describe(
      'Numbers of one embedding, where a request does not say how many: they bound how many inputs it may have.',
    ),
  // What runs hidden (reasoning) is not counted while the stream runs, so nobody would have signed for it.
  firstSlice: z
    .boolean()
    .default(false)
    .describe(
      'Streams of payers who sign small steps may begin with a first slice (`payment.slices`). Only for models whose whole output is visible.',
    ),
  outputLimitParameter: z
    .enum(['max_completion_tokens', 'max_tokens'])
    .optional()
    .describe(
      'How the output limit is sent. Default: as the catalogue says of the provider, else `max_completion_tokens`.',
    ),
});

/** `prices`: of routes that have none of their own, by the name that clients ask for. */
export const pricesSchema = z.record(
  nameSchema,
  z.union([z.strictObject({ free: z.literal(true).describe('Nobody pays.') }), priceSchema]),
);
