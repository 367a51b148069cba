import { evidenceTiers } from '../../protocol/receipt/call-receipt.ts';
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
  const rank = (tier: DeploymentTerms['evidenceTier']) => evidenceTiers.indexOf(tier);
  return evidenceTier === undefined || rank(terms.evidenceTier) >= rank(evidenceTier);
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
