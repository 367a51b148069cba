import { z } from 'zod';
import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { addressSchema, amountSchema, bytes32Schema } from '../protocol/payments/value-schemas.ts';
import type { PriceRow } from '../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../protocol/pricing/price-tree.ts';

/** A model as the relay sells it. */
export interface CatalogueModel {
  id: string;
  free: boolean;
  contextTokens: number;
  maxOutputTokens: number;
  /** The output limit that the relay sets where the client gives none. */
  defaultMaxOutputTokens: number;
  /** Models that may answer in its place, and at whose price the call is charged then. */
  answeredBy: readonly string[];
  /** What it costs, one row for each token that it can be paid in; none if it is free, or stands for others. */
  rows: readonly PriceRow[];
}

/** A token's price in US dollars, as the relay says it stands at the oracle. */
export interface ClaimedPrice {
  roundId: bigint;
  answer: bigint;
  answerDecimals: number;
}

/** What a relay sells. */
export interface Catalogue {
  models: ReadonlyMap<string, CatalogueModel>;
  /** The Merkle root of the price table, which receipts name: recomputed from all rows. */
  priceRoot: Hex;
  /** By token; only of tokens whose rows are in US dollars and that can be paid in now. */
  usdPrices: ReadonlyMap<Hex, ClaimedPrice>;
}

/**
 * More than any model has. No price root covers these numbers, and a quote is made of them: without a bound a relay could have a whole
 * deposit signed for one call.
 */
const mostTokens = 16_777_216;
const count = z.number().int().positive().max(mostTokens);
const decimals = z.number().int().min(0).max(36);

const rowSchema = z.object({
  token: addressSchema,
  in_usd: z.boolean(),
  per_tokens: z.literal(1_000_000),
  prompt: amountSchema,
  cached_prompt: amountSchema,
  cache_write: amountSchema,
  audio_prompt: amountSchema,
  completion: amountSchema,
  audio_completion: amountSchema,
  request: amountSchema,
});

const modelSchema = z.object({
  id: z.string().min(1).max(256),
  context_tokens: count,
  max_output_tokens: count,
  default_max_output_tokens: count,
  free: z.boolean(),
  answered_by: z.array(z.string().min(1).max(256)).max(10_000).default([]),
  pricing: z.array(rowSchema).max(8),
});

const tokenSchema = z.object({
  address: addressSchema,
  usd_price: z.object({ answer: amountSchema, decimals, round_id: amountSchema }).nullish(),
});

const catalogueSchema = z.object({
  data: z.array(modelSchema).max(10_000),
  price_root: bytes32Schema,
  tokens: z.array(tokenSchema).max(8),
});

/**
 * The relay's models with their prices (`GET /v1/models`).
 * @throws AutoPayError `invalid_configuration` if the answer has another shape, `verification_failed` if its rows do not have
 *   the root that it names; what `fetch` throws if nothing answers.
 */
export async function fetchCatalogue(options: { relayUrl: string; fetch: typeof fetch }): Promise<Catalogue> {
  const response = await options.fetch(`${options.relayUrl}/v1/models`, { redirect: 'error' });
  const parsed = catalogueSchema.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) {
    throw new AutoPayError(
      'invalid_configuration',
      `${options.relayUrl}/v1/models does not list prices as a relay does. Check the URL.`,
      { cause: parsed.error },
    );
  }
  const { data, tokens, price_root: priceRoot } = parsed.data;
  const models = new Map(data.map((model) => [model.id, toModel(model)]));
  if (rootOfPrices([...models.values()].flatMap(({ rows }) => rows)) !== priceRoot) {
    throw new AutoPayError(
      'verification_failed',
      `The prices that ${options.relayUrl} lists do not have the root that it names. Do not pay it; tell its operator.`,
    );
  }
  const usdPrices = new Map<Hex, ClaimedPrice>();
  for (const { address, usd_price: price } of tokens) {
    if (!price || price.answer === 0n) continue;
    usdPrices.set(address, { roundId: price.round_id, answer: price.answer, answerDecimals: price.decimals });
  }
  return { models, priceRoot, usdPrices };
}

function toModel(model: z.output<typeof modelSchema>): CatalogueModel {
  return {
    id: model.id,
    free: model.free,
    answeredBy: model.answered_by,
    contextTokens: model.context_tokens,
    maxOutputTokens: model.max_output_tokens,
    defaultMaxOutputTokens: model.default_max_output_tokens,
    rows: model.pricing.map((row) => ({
      model: model.id,
      token: row.token,
      inUsd: row.in_usd,
      prompt: row.prompt,
      cachedPrompt: row.cached_prompt,
      cacheWrite: row.cache_write,
      audioPrompt: row.audio_prompt,
      completion: row.completion,
      audioCompletion: row.audio_completion,
      request: row.request,
    })),
  };
}
