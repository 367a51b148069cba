import type { Hex } from '../../protocol/bytes/hex.ts';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import type { ConfigFile } from './config-schema.ts';
import type { CacheTerms } from '../call/cache/cache-terms.ts';
import type { DeploymentTerms, RouteTerms } from '../call/routing-terms.ts';
import type { ProviderQuirks } from '../call/types.ts';
import type { ResolvedChain } from './resolve-chain.ts';
import type { ResolvedDeployment } from './resolve-deployment.ts';
import type { EvidenceConfig } from './resolve-evidence.ts';
import type { ProviderConfig } from './resolve-providers.ts';
import type { SellerConfig } from './resolve-purchasing.ts';

/** A place that answers the calls of a route. */
export interface DeploymentConfig {
  /** `provider@region`; unique in its route. */
  id: string;
  provider: string;
  /** The name that the provider knows the model by. */
  model: string;
  region: string;
  /** Where the provider departs from OpenAI's wire. */
  quirks?: ProviderQuirks | undefined;
  /** Members of the request that go there where the client sends none. */
  defaults?: Readonly<Record<string, unknown>> | undefined;
  terms: DeploymentTerms;
}

/** A token that calls are paid in. */
export interface TokenConfig {
  symbol: string;
  address: Hex;
  decimals: number;
  /** Whether its prices are US dollars that are converted at an oracle's round. */
  oracle: boolean;
  /** For a new channel: atomic units, or, with an oracle, US dollars with 8 decimals. */
  suggestedDeposit: bigint;
  /** What one payer may spend in a period, in the units of `suggestedDeposit`; undefined where nothing bounds it. */
  payerBudget?: bigint | undefined;
  /** One unit of the price currency: atomic units, or, with an oracle, US dollars with 8 decimals. */
  currencyUnit: bigint;
}

/** A name that clients ask for. */
export interface RouteConfig {
  model: string;
  /** Spread as `terms` say; none where the route stands for others. */
  deployments: readonly DeploymentConfig[];
  terms: RouteTerms;
  /** The rows of the price table for this model, one for each token, in the order of `tokens`; null on a free route. */
  prices: readonly PriceRow[] | null;
  /** How its answers are sold again; null if they are not. */
  cache: CacheTerms | null;
  /** Whether its requests may search, at the price of a call. */
  search: boolean;
  contextTokens: number;
  maxOutputTokens: number;
  /** What bounds a call whose client sets no limit; never above `maxOutputTokens`. */
  defaultMaxOutputTokens: number;
  /** Numbers of an embedding, where a request does not say how many. */
  embeddingDimensions: number;
  /** Whether its streams may begin with a first slice: its whole output is visible. */
  firstSlice: boolean;
  /** Null: as each deployment's provider takes it. */
  outputLimitParameter: 'max_completion_tokens' | 'max_tokens' | null;
}

/** What of the configuration differs from chain to chain. */
export type ChainConfig = Pick<RelayConfig, 'chain' | 'contracts' | 'tokens' | 'routes'>;

/** The relay's configuration, ready to use: amounts in atomic units, addresses in lower case, every default filled in. */
export interface RelayConfig extends Omit<
  ConfigFile,
  | 'auto_refill'
  | 'chain'
  | 'contracts'
  | 'import'
  | 'payment_channels'
  | 'prices'
  | 'providers'
  | 'routes'
  | 'payment'
  | 'tokens'
  | 'priceCurrency'
> {
  chain: Omit<ConfigFile['chain'], 'strategy' | 'confirmations' | 'transactions'> &
    ResolvedChain &
    Pick<ResolvedDeployment, 'deployedAtBlock'>;
  contracts: ResolvedDeployment['contracts'];
  /** The first one is what a client pays in that says nothing. */
  tokens: readonly TokenConfig[];
  /** The symbol of the first token, or `USD`. */
  priceCurrency: string;
  routes: readonly RouteConfig[];
  /** Every endpoint that a deployment may name. */
  providers: readonly ProviderConfig[];
  /** Those of them that are paid for each call. */
  sellers: readonly SellerConfig[];
  /** What is collected of whose answers. */
  evidence: readonly EvidenceConfig[];
  payment: Omit<ConfigFile['payment'], 'suggestedDeposit'>;
  /** Every chain that calls are paid on, the home chain first: `chain`, `contracts`, `tokens` and the prices of `routes` are its. */
  chains: readonly ChainConfig[];
  /** Every file that it was read from, autopay.yaml first. */
  files: readonly string[];
  /** Keys of imported files that have no effect here, each with its place. */
  notices: readonly string[];
  /** Keys that stand in imported files, by the names that `apiKeyEnv` calls them. They MUST NOT be logged. */
  secrets: Readonly<Record<string, string>>;
}
