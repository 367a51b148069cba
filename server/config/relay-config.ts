import type { TokenPrices } from '../../protocol/pricing/token-prices.ts';
import type { ConfigFile } from './config-schema.ts';

/** A place that answers the calls of a route. */
export interface DeploymentConfig {
  /** `provider@region`; unique in its route. */
  id: string;
  provider: string;
  /** The name that the provider knows the model by. */
  model: string;
  region: string;
}

/** A name that clients ask for. */
export interface RouteConfig {
  model: string;
  /** Tried in order. */
  deployments: readonly DeploymentConfig[];
  /** Atomic units per 1,000,000 tokens (`request`: per call); null on a free route. */
  prices: TokenPrices | null;
  contextTokens: number;
  maxOutputTokens: number;
  /** What bounds a call whose client sets no limit; never above `maxOutputTokens`. */
  defaultMaxOutputTokens: number;
  outputLimitParameter: 'max_completion_tokens' | 'max_tokens';
}

/** The relay's configuration, ready to use: amounts in atomic units, addresses in lower case, every default filled in. */
export interface RelayConfig extends Omit<ConfigFile, 'routes' | 'payment'> {
  routes: readonly RouteConfig[];
  payment: { suggestedDepositAtomic: bigint; challengeTtlSeconds: number };
}
