import { z } from 'zod';
import { addressSchema } from '../../../protocol/payments/value-schemas.ts';
import { countSchema, decimalSchema, httpUrlSchema, symbolSchema, variableSchema } from './words.ts';

/** A chain: a network that `autopay deploy` knows, or an EIP-155 id. */
export const chainNameSchema = z.union([
  countSchema(Number.MAX_SAFE_INTEGER),
  z.enum(['base', 'baseSepolia', 'arbitrum', 'arbitrumSepolia', 'optimism', 'polygon', 'local']),
]);

const tokenSchema = z.strictObject({
  symbol: symbolSchema.describe('As people call it.'),
  address: addressSchema.describe('Its contract.'),
  decimals: z.number().int().min(0).max(30).describe('Digits after the point of one whole token.'),
});

const purchaseShape = {
  walletKeyEnv: variableSchema
    .optional()
    .describe(
      'Environment variable with the private key (0x…) of the wallet that pays. Default: the relay’s own account.',
    ),
  chain: chainNameSchema.optional().describe('Chain on which it is paid. Default: the home chain.'),
  rpcUrl: httpUrlSchema.optional().describe('JSON-RPC endpoint of a chain that is none of `chains`.'),
  token: z
    .union([symbolSchema, tokenSchema])
    .optional()
    .describe(
      'The only token that it is paid in: a symbol of `tokens`, or `{ symbol, address, decimals }`. Default: the first of the chain.',
    ),
  maxPerCall: decimalSchema.describe(
    'The most that is paid for one call, in whole tokens. A dearer call goes to another deployment.',
  ),
  maxPerDay: decimalSchema.describe(
    'The most that is paid in one UTC day, in whole tokens, payments of unknown outcome included.',
  ),
  payTo: addressSchema.optional().describe('The only address that is paid. Default: whom the provider names.'),
};

/** `auth` of a provider: how the relay pays it. */
export const providerAuthSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('bearer').describe('By the key of `apiKeyEnv`.') }),
  z.strictObject({
    type: z.literal('x402').describe('One x402 payment for each call (`exact`, EIP-3009).'),
    ...purchaseShape,
  }),
  z.strictObject({
    type: z
      .literal('mpp')
      .describe('MPP: vouchers of its channel in `payment_channels`, or without one an `evm/charge` for each call.'),
    ...purchaseShape,
  }),
]);
