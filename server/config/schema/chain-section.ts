import { z } from 'zod';
import { contractAddressesSchema } from '../../../protocol/deployment/deployment-schema.ts';
import { addressSchema } from '../../../protocol/payments/value-schemas.ts';
import { countSchema, decimalSchema, httpUrlSchema, symbolSchema } from './words.ts';

const transactionsSchema = z.strictObject({
  maxFeePerGasGwei: decimalSchema
    .default('100')
    .describe(
      'While the base fee is above this, nothing is sent. Collections of closing channels wait too: leave room.',
    ),
  replaceAfterSeconds: countSchema(3600)
    .default(30)
    .describe('What is in no block by then is sent again with higher fees.'),
  maxUnmined: countSchema(64).default(32).describe('So many transactions may be signed and in no block.'),
});

/** `chain`: where the money is. */
export const chainSchema = z.strictObject({
  id: countSchema(Number.MAX_SAFE_INTEGER).describe('EIP-155 chain id.'),
  rpcUrl: httpUrlSchema.describe('JSON-RPC endpoint.'),
  deployedAtBlock: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe('First block that may hold an event of `contracts`. Default: that of addresses/<id>.json.'),
  // For reorganisations, and for nodes behind one endpoint that are not equally far. 512 blocks are two minutes where a block takes
  // 250 ms (Arbitrum), and more elsewhere.
  reorgMarginBlocks: countSchema(100_000)
    .default(512)
    .describe('So many blocks are read again at each poll. Set more where blocks come faster than every 250 ms.'),
  maxBlocksPerQuery: countSchema(1_000_000)
    .default(10_000)
    .describe('Of one log query. An endpoint that takes fewer refuses the query; set then what it takes.'),
  // Tokens with an oracle need a block at least every minute, whatever is set here.
  maxHeadAgeSeconds: z
    .number()
    .int()
    .min(10)
    .max(3600)
    .default(120)
    .describe('An endpoint whose newest block is older counts as unreachable. Not applied to chain 31337.'),
  strategy: z
    .enum(['none', 'optimistic_rollups', 'zk-rollup'])
    .optional()
    .describe(
      'What a deposit waits for before it counts: its block is safe (`optimistic_rollups`), finalized (`zk-rollup`), or nothing. Default: `optimistic_rollups`; `none` on chain 31337.',
    ),
  confirmations: z
    .union([z.number().int().min(0).max(100_000), z.enum(['safe', 'finalized'])])
    .optional()
    .describe('Instead of what `strategy` names: so many blocks after its own, or a block tag.'),
  transactions: transactionsSchema.prefault({}).describe("Of the relay's account."),
});

/** `contracts`: by default those that `autopay deploy` published. */
export const contractsSchema = z.strictObject(contractAddressesSchema.shape);

/** How prices become this token: not at all (the first token, if prices are in it), by a fixed rate, or by an oracle. */
export const tokenSchema = z.strictObject({
  symbol: symbolSchema.describe('As people call it; not `USD`.'),
  address: addressSchema.describe('Its contract.'),
  decimals: z.number().int().min(0).max(30).describe('Digits after the point of one whole token.'),
  rate: decimalSchema.optional().describe('Whole tokens per unit of the price currency.'),
  oracle: z
    .boolean()
    .default(false)
    .describe('Convert from US dollars at the round of `contracts.priceOracle`. Needs `priceCurrency: USD`.'),
});

/** `tokens`: what calls are paid in on a chain. */
export const tokensSchema = z.array(tokenSchema).min(1).max(8);

/** One of `chains`: a chain with what calls are paid in there. */
export const chainEntrySchema = chainSchema.extend({
  home: z
    .boolean()
    .default(false)
    .describe(
      'Whether budgets are voted on here, and audits read the anchors here. Exactly one is; a single one by itself.',
    ),
  contracts: contractsSchema
    .optional()
    .describe('Default: those of addresses/<id>.json, which `autopay deploy` writes.'),
  tokens: tokensSchema.describe('What calls are paid in on this chain.'),
});
