import { z } from 'zod';
import { addressSchema } from '../payments/value-schemas.ts';

/** The contracts of one deployment, by the names that files and options use. */
export const contractAddressesSchema = z.object({
  paymentChannels: addressSchema,
  autoPayLLM: addressSchema,
  paymentDesk: addressSchema,
  auditLog: addressSchema,
  modelBudgets: addressSchema,
  priceBook: addressSchema,
  priceOracle: addressSchema,
  keyRegistry: addressSchema,
  billingDisputes: addressSchema,
  agpt: addressSchema,
  governor: addressSchema,
  timelock: addressSchema,
});

/** Addresses in lower case. */
export type ContractAddresses = z.output<typeof contractAddressesSchema>;

/** Tokens by symbol; `decimals` is the power of ten between atomic units and whole tokens. */
export const deployedTokensSchema = z.record(
  z.string().min(1).max(16),
  z.object({ address: addressSchema, decimals: z.number().int().min(0).max(30) }),
);

/** Tokens by symbol. */
export type DeployedTokens = z.output<typeof deployedTokensSchema>;

/** What is deployed on a chain: the content of `addresses/<chainId>.json`, and a part of `stack.json`. */
export const deploymentSchema = z.object({
  chainId: z.number().int().positive(),
  /** First block that may hold an event of the contracts. */
  deployedAtBlock: z.number().int().min(0),
  contracts: contractAddressesSchema,
  tokens: deployedTokensSchema,
});

/** One deployment. */
export type Deployment = z.output<typeof deploymentSchema>;
