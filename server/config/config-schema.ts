import { z } from 'zod';
import { routingSchema } from './routing-schema.ts';
import { auditSchema } from './schema/audit-section.ts';
import { chainEntrySchema, chainSchema, contractsSchema, tokensSchema } from './schema/chain-section.ts';
import {
  budgetsSchema,
  collectionSchema,
  disputesSchema,
  limitsSchema,
  listenSchema,
  realmSchema,
} from './schema/operation-section.ts';
import { freeSchema, keysSchema, paymentSchema } from './schema/payment-section.ts';
import { autoRefillSchema, paymentChannelsSchema } from './schema/payment-channels-section.ts';
import { providerSchema } from './schema/providers-section.ts';
import { pricesSchema, routeSchema } from './schema/routes-section.ts';
import { webhooksSchema } from './schema/webhooks-section.ts';
import { symbolSchema } from './schema/words.ts';

const fileSchema = z.string().min(1).max(1024);

const importSchema = z.union([
  fileSchema,
  z.strictObject({
    file: fileSchema.describe('Path, relative to this file.'),
    ignore: z
      .array(z.string().min(1).max(256))
      .max(256)
      .default([])
      .describe(
        'Keys to do without, as the table of its kind has them, or as they are: `model_list.0.litellm_params.x`.',
      ),
  }),
]);

/**
 * `autopay.yaml` as it is written: every key that there is, section by section. Money is in units of the price currency (whole
 * tokens, or US dollars), as decimal strings. Keys that are not here are errors, because an ignored setting is worse than a refused
 * one. The descriptions make docs/CONFIGURATION.md.
 */
export const configFileSchema = z.strictObject({
  import: z
    .array(importSchema)
    .max(8)
    .default([])
    .describe(
      'Files of LiteLLM or of the blueprint whose routes and providers are taken in, relative to this one; as `{ file, ignore }` to do without keys that would be refused.',
    ),
  listen: listenSchema.prefault({}).describe('Where the relay is reached.'),
  realm: realmSchema.describe('Name of the relay in challenges.'),
  chain: chainSchema
    .optional()
    .describe('Where the money is; with `contracts` and `tokens`, the short form of a single one of `chains`.'),
  chains: z
    .array(chainEntrySchema)
    .min(1)
    .max(8)
    .optional()
    .describe('The chains that calls are paid on, one of them home.'),
  contracts: contractsSchema
    .optional()
    .describe('Default: those of addresses/<chain.id>.json, which `autopay deploy` writes.'),
  tokens: tokensSchema.optional().describe('What calls are paid in; the first is the default.'),
  priceCurrency: symbolSchema
    .optional()
    .describe('What prices are in: the first token’s symbol (the default), or `USD`.'),
  providers: z.array(providerSchema).max(64).default([]).describe('Who answers calls.'),
  payment_channels: paymentChannelsSchema
    .default([])
    .describe('Channels from which the relay pays providers that sell by MPP sessions.'),
  auto_refill: autoRefillSchema.optional().describe('When channels of `payment_channels` are filled up.'),
  routes: z.array(routeSchema).max(4096).default([]).describe('What is sold.'),
  prices: pricesSchema
    .default({})
    .describe(
      'Prices by route, for routes that have none of their own, as imported ones do: a price, or `{ free: true }`.',
    ),
  routing: routingSchema.prefault({}).describe('How calls find a deployment.'),
  payment: paymentSchema.prefault({}).describe('How calls are paid.'),
  keys: keysSchema.prefault({}).describe('API keys.'),
  free: freeSchema.prefault({}).describe('Bounds of free routes.'),
  budgets: budgetsSchema.prefault({}).describe('What votes allow models to spend.'),
  collection: collectionSchema.prefault({}).describe('How money is collected.'),
  audit: auditSchema.prefault({}).describe('The log of receipts.'),
  disputes: disputesSchema.prefault({}).describe('Disputes on the chain.'),
  webhooks: webhooksSchema.max(8).default([]).describe('Who is told of each receipt.'),
  limits: limitsSchema.prefault({}).describe('Bounds of calls.'),
});

const { priceCurrency, prices, routes } = configFileSchema.shape;
/** What of the file makes the price table. */
export const priceFileSchema = z.object({ tokens: tokensSchema, priceCurrency, prices, routes });

/** The parsed part of the file that makes the price table. */
export type PriceFile = z.output<typeof priceFileSchema>;

/** The parsed file as it is written, with one chain or several. */
export type WrittenFile = z.output<typeof configFileSchema>;

/** What the file says of one chain. */
export interface ChainFile {
  chain: z.output<typeof chainSchema>;
  contracts?: z.output<typeof contractsSchema> | undefined;
  tokens: z.output<typeof tokensSchema>;
}

/** The parsed file as it is for one chain, before amounts are converted and names are resolved. */
export type ConfigFile = Omit<WrittenFile, 'chain' | 'chains' | 'contracts' | 'tokens'> & ChainFile;
