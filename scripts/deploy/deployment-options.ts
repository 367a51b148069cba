import { getAddress, isAddress } from 'viem';
import type { Address, Hex } from 'viem';
import { z } from 'zod';

const addressSchema = z
  .string()
  .refine((text) => isAddress(text, { strict: false }), 'not an address (0x and 40 hex digits)')
  .transform((text): Address => getAddress(text));

/** What an operator decides about a deployment; the rest is in ignition/parameters/<network>.json. */
export const operatorChoicesSchema = z.strictObject({
  /** The relay's account: gets RELAY_ROLE, ANCHOR_ROLE and KEYS_ROLE, and signs receipts. */
  relay: addressSchema,
  /** May stop booking, release and relays for a short time; none by default. */
  guardian: addressSchema.optional(),
  /** Where the relay's bond goes back to. */
  bondPayout: addressSchema,
  /** Gets all AGPT there will ever be. */
  agptHolder: addressSchema,
  /** AGPT wei. */
  agptSupply: z.union([z.bigint(), z.string().regex(/^[1-9][0-9]*$/)]).transform(BigInt),
  /** Payout address of each provider, by name. */
  providers: z.record(z.string().min(1), addressSchema),
  /** USDC of the chain, where the network's parameters name none; without it the real FiatTokenV2_2 is deployed. */
  usdc: addressSchema.optional(),
});

/** What an operator decides about a deployment. */
export type OperatorChoices = z.output<typeof operatorChoicesSchema>;

/** Where to deploy, by whom. */
export const deploymentPlaceSchema = z.strictObject({
  /** JSON-RPC endpoint. */
  rpcUrl: z.url(),
  /** Chain that the endpoint must be on. */
  chainId: z.number().int().positive(),
  /** Folder for Ignition's journal. It belongs to one chain: keep it with the chain's data, and drop it with them. */
  deploymentDir: z.string().min(1),
});

/** Where to deploy, and the account that pays for it. */
export interface DeploymentPlace extends z.output<typeof deploymentPlaceSchema> {
  deployerPrivateKey: Hex;
}
