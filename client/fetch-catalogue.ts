import { z } from 'zod';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { amountSchema, bytes32Schema } from '../protocol/mpp/session-schemas.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import type { TokenPrices } from '../protocol/pricing/token-prices.ts';

/** A model as the relay sells it. */
export interface CatalogueModel {
  id: string;
  free: boolean;
  contextTokens: number;
  maxOutputTokens: number;
  /** The output limit that the relay sets where the client gives none. */
  defaultMaxOutputTokens: number;
  /** Atomic units per 1,000,000 tokens; `request` per call. */
  prices: TokenPrices;
}

/** What a relay sells, and the Merkle root of the price table that its receipts name. */
export interface Catalogue {
  models: ReadonlyMap<string, CatalogueModel>;
  priceRoot: Hex;
}

const count = z.number().int().positive();

const catalogueSchema = z.object({
  data: z
    .array(
      z.object({
        id: z.string().min(1).max(256),
        context_tokens: count,
        max_output_tokens: count,
        default_max_output_tokens: count,
        free: z.boolean(),
        pricing: z
          .object({
            per_tokens: z.literal(1_000_000),
            prompt: amountSchema,
            cached_prompt: amountSchema.optional(),
            cache_write: amountSchema.optional(),
            audio_prompt: amountSchema.optional(),
            completion: amountSchema,
            audio_completion: amountSchema.optional(),
            request: amountSchema.optional(),
          })
          .nullish(),
      }),
    )
    .max(10_000),
  price_root: bytes32Schema,
});

const freePrices = { prompt: 0n, completion: 0n } as const;

/**
 * The relay's models with their prices (`GET /v1/models`). Prices of parts that are left out are those of the whole.
 * @throws AutoPayError `invalid_configuration` if the answer has another shape; what `fetch` throws if nothing answers.
 */
export async function fetchCatalogue(options: { relayUrl: string; fetch: typeof fetch }): Promise<Catalogue> {
  const response = await options.fetch(`${options.relayUrl}/v1/models`, { redirect: 'error' });
  const parsed = catalogueSchema.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) {
    throw new AutoPayError(
      'invalid_configuration',
      `${options.relayUrl}/v1/models does not list prices as a relay does. Check the URL.`,
      {
        cause: parsed.error,
      },
    );
  }
  const models = new Map<string, CatalogueModel>();
  for (const model of parsed.data.data) {
    if (!model.free && !model.pricing) continue;
    const pricing = { ...freePrices, ...model.pricing };
    models.set(model.id, {
      id: model.id,
      free: model.free,
      contextTokens: model.context_tokens,
      maxOutputTokens: model.max_output_tokens,
      defaultMaxOutputTokens: model.default_max_output_tokens,
      prices: {
        prompt: pricing.prompt,
        cachedPrompt: pricing.cached_prompt ?? pricing.prompt,
        cacheWrite: pricing.cache_write ?? pricing.prompt,
        audioPrompt: pricing.audio_prompt ?? pricing.prompt,
        completion: pricing.completion,
        audioCompletion: pricing.audio_completion ?? pricing.completion,
        request: pricing.request ?? 0n,
      },
    });
  }
  return { models, priceRoot: parsed.data.price_root };
}
