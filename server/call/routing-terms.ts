import type { Hex } from '../../protocol/bytes/hex.ts';
import type { EvidenceTier } from '../../protocol/receipt/call-receipt.ts';

/** How the calls of a route are spread over its deployments: the relay's names, and LiteLLM's for the same. */
export const strategyNames = [
  'order',
  'weights',
  'simple-shuffle',
  'least-busy',
  'latency-based',
  'latency-based-routing',
  'usage-based',
  'usage-based-routing',
  'usage-based-routing-v2',
  'cost-based',
  'cost-based-routing',
] as const;

/** One of them. */
export type StrategyName = (typeof strategyNames)[number];

/** How long an attempt may take, milliseconds; what is undefined is as the transport has it. */
export interface AttemptTimeouts {
  /** Of a stream, until its first chunk. */
  firstByteMs?: number | undefined;
  /** Between two pieces of the answer. */
  idleMs?: number | undefined;
  /** Of JSON, the whole answer, its headers too; of a stream, until its first chunk. */
  attemptMs?: number | undefined;
}

/** What the operator says of a deployment beside where it is. */
export interface DeploymentTerms {
  /** Lower ones come first, whatever the strategy. */
  order: number;
  weight: number | null;
  /** What is sent there in a minute at most: calls, and tokens. */
  rpm: number | null;
  tpm: number | null;
  maxConcurrentCalls: number | null;
  /** What the operator pays per 1,000,000 tokens, in any one unit; null if it is not said. */
  cost: { prompt: bigint; completion: bigint } | null;
  region: string;
  tools: boolean;
  vision: boolean;
  evidenceTier: EvidenceTier;
  tags: readonly string[];
  timeouts: AttemptTimeouts;
}

/** What a request needs of a deployment; what is undefined it does without. */
export interface RoutingNeeds {
  tools?: boolean | undefined;
  vision?: boolean | undefined;
  contextTokens?: number | undefined;
  region?: string | undefined;
  evidenceTier?: EvidenceTier | undefined;
}

/** How the calls of a route find a deployment. */
export interface RouteTerms {
  strategy: StrategyName;
  /** Routes that may answer in its place, by what went wrong. */
  fallbacks: Readonly<Record<FallbackReason, readonly string[]>>;
  /** How often a call is sent to a deployment that has failed it before. */
  retries: number;
  /** Null: no second deployment is asked while the first may still answer. */
  hedgeAfterMs: number | null;
  timeouts: AttemptTimeouts;
  /** The most that a token may cost; null without a ceiling. */
  priceCeiling: PriceCeiling | null;
  /** The route stands for the cheapest other one that has this and what the request needs; null for a route of its own. */
  auto: (RoutingNeeds & { among?: readonly string[] | undefined }) | null;
  /** Evidence that every answer must have: one with less is a failed attempt. None if omitted. */
  minimumEvidenceTier?: EvidenceTier | undefined;
}

/** What 1,000,000 tokens may cost at most, in one token that calls are paid in. */
export interface PriceCeiling {
  token: Hex;
  /** Atomic units; or, `inUsd`, US dollars with 8 decimals, as the rows of that token are. */
  perMillion: bigint;
  inUsd: boolean;
}

/** Why another route is taken: a failure that may pass elsewhere, a prompt that is too long, a content that is refused. */
export const fallbackReasons = ['general', 'context_window', 'content_policy'] as const;

/** One of them. */
export type FallbackReason = (typeof fallbackReasons)[number];

/** Of a deployment that nothing is said of. */
export const plainDeployment: DeploymentTerms = {
  order: 0,
  weight: null,
  rpm: null,
  tpm: null,
  maxConcurrentCalls: null,
  cost: null,
  region: 'default',
  tools: true,
  vision: true,
  evidenceTier: 'relay-signed',
  tags: [],
  timeouts: {},
};

/** Of a route that nothing is said of: its deployments in order, each once. */
export const plainRoute: RouteTerms = {
  strategy: 'order',
  fallbacks: { general: [], context_window: [], content_policy: [] },
  retries: 0,
  hedgeAfterMs: null,
  timeouts: {},
  priceCeiling: null,
  auto: null,
};
