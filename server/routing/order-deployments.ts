import type { DeploymentTerms, StrategyName } from '../call/routing-terms.ts';

/** What a strategy sees of a deployment. */
export interface Candidate {
  terms: DeploymentTerms;
  /** Calls under way. */
  inFlight: number;
  /** How long it takes to answer: streams to their first chunk; null if it is not known yet. */
  latencyMs: number | null;
  /** Sent and received within the last minute. */
  tokensInMinute: number;
}

/** What strategies see of a call. */
export interface CallShape {
  promptTokens: number;
  outputTokens: number;
}

/** Numbers in [0, 1). */
export type Random = () => number;

type Order = <C extends Candidate>(candidates: readonly C[], shape: CallShape, random: Random) => C[];

/**
 * The deployments in the order in which a call tries them. A lower `order` always comes first; among equals the strategy decides,
 * and among equals of that, chance.
 */
export function orderDeployments<C extends Candidate>(
  strategy: StrategyName,
  candidates: readonly C[],
  { shape, random }: { shape: CallShape; random: Random },
): C[] {
  if (candidates.length < 2) return [...candidates];
  const sorted = strategies[strategy](candidates, shape, random);
  // Array.sort is stable.
  return sorted.sort((left, right) => left.terms.order - right.terms.order);
}

/** As they are listed. */
const asListed: Order = (candidates) => [...candidates];

/** A random permutation in which each comes first with its share of the weights. */
const byWeight: Order = (candidates, _, random) => permute(candidates, ({ terms }) => terms.weight ?? 1, random);

/** As LiteLLM: weights, where one is set; else rpm; else tpm; else all alike. */
const shuffle: Order = (candidates, _, random) => {
  const names = ['weight', 'rpm', 'tpm'] as const;
  const name = names.find((key) => candidates.some(({ terms }) => terms[key] !== null));
  return permute(candidates, ({ terms }) => (name === undefined ? 1 : (terms[name] ?? 1)), random);
};

const leastBusy: Order = (candidates, _, random) => ascending(candidates, ({ inFlight }) => inFlight, random);

/** One that was never measured comes first: that is how it is measured. */
const lowestLatency: Order = (candidates, _, random) =>
  ascending(candidates, ({ latencyMs }) => latencyMs ?? 0, random);

/** By the part of its tpm that is used, if every one has such a limit; else by tokens. */
const lowestUsage: Order = (candidates, _, random) => {
  const isRelative = candidates.every(({ terms }) => terms.tpm !== null);
  return ascending(
    candidates,
    ({ terms, tokensInMinute }) => tokensInMinute / (isRelative ? (terms.tpm ?? 1) : 1),
    random,
  );
};

/** By what the operator would pay for this call; what costs an unknown amount comes last. */
const lowestCost: Order = (candidates, { outputTokens, promptTokens }, random) =>
  ascending(
    candidates,
    ({ terms: { cost } }) =>
      // Only compared, never charged.
      cost === null
        ? Number.POSITIVE_INFINITY
        : Number(cost.prompt * BigInt(promptTokens) + cost.completion * BigInt(outputTokens)),
    random,
  );

const strategies: Record<StrategyName, Order> = {
  order: asListed,
  weights: byWeight,
  'simple-shuffle': shuffle,
  'least-busy': leastBusy,
  'latency-based': lowestLatency,
  'latency-based-routing': lowestLatency,
  'usage-based': lowestUsage,
  'usage-based-routing': lowestUsage,
  'usage-based-routing-v2': lowestUsage,
  'cost-based': lowestCost,
  'cost-based-routing': lowestCost,
};

/** Weighted sampling without replacement (Efraimidis and Spirakis): the larger `random ^ (1 / weight)`, the earlier. */
function permute<C>(candidates: readonly C[], weightOf: (candidate: C) => number, random: Random): C[] {
  return candidates
    .map((candidate) => ({ candidate, key: Math.log(1 - random()) / weightOf(candidate) }))
    .sort((left, right) => right.key - left.key)
    .map(({ candidate }) => candidate);
}

function ascending<C>(candidates: readonly C[], valueOf: (candidate: C) => number, random: Random): C[] {
  return candidates
    .map((candidate) => ({ candidate, value: valueOf(candidate), tie: random() }))
    .sort((left, right) => (left.value === right.value ? left.tie - right.tie : left.value - right.value))
    .map(({ candidate }) => candidate);
}
