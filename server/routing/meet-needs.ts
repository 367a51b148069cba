import { meetsTier } from '../../protocol/evidence/meets-tier.ts';
import type { EvidenceTier } from '../../protocol/receipt/call-receipt.ts';
import { plainDeployment, type DeploymentTerms, type RoutingNeeds } from '../call/routing-terms.ts';
import type { Deployment } from '../call/types.ts';

/** LiteLLM's name of the tag of deployments that serve requests without tags. */
const defaultTag = 'default';

/** The deployments that have what a call needs. */
export function meetNeeds(deployments: readonly Deployment[], needs: RoutingNeeds): Deployment[] {
  return deployments.filter(({ terms = plainDeployment }) => has(terms, needs));
}

function has(terms: DeploymentTerms, { evidenceTier, region, tools, vision }: RoutingNeeds): boolean {
  if ((tools === true && !terms.tools) || (vision === true && !terms.vision)) return false;
  if (region !== undefined && terms.region !== region) return false;
  return evidenceTier === undefined || meetsTier(terms.evidenceTier, evidenceTier);
}

/** Those of them that can show every tier that is demanded. */
export function meetTiers(deployments: readonly Deployment[], tiers: readonly EvidenceTier[]): readonly Deployment[] {
  if (tiers.length === 0) return deployments;
  return deployments.filter(({ terms = plainDeployment }) =>
    tiers.every((tier) => meetsTier(terms.evidenceTier, tier)),
  );
}

/** What of the demanded tiers says anything, each once. */
export function demandedTiers(...tiers: readonly (EvidenceTier | undefined)[]): EvidenceTier[] {
  return [...new Set(tiers)].filter((tier) => tier !== undefined && tier !== 'relay-signed');
}

/**
 * The deployments for a request's tags: those with one of them, if there are such; else those without tags, or with the tag
 * `default`, as in LiteLLM.
 */
export function matchTags(deployments: readonly Deployment[], tags: readonly string[]): readonly Deployment[] {
  const tagsOf = ({ terms = plainDeployment }: Deployment) => terms.tags;
  if (deployments.every((deployment) => tagsOf(deployment).length === 0)) return deployments;
  const tagged = deployments.filter((deployment) => tagsOf(deployment).some((tag) => tags.includes(tag)));
  if (tagged.length > 0) return tagged;
  return deployments.filter((deployment) => tagsOf(deployment).length === 0 || tagsOf(deployment).includes(defaultTag));
}
