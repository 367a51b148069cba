import { meetsTier } from '../../protocol/evidence/meets-tier.ts';
import type { EvidenceTier } from '../../protocol/receipt/call-receipt.ts';
import { mayStandFor } from '../routing/choose-auto.ts';
import type { ConfigFile } from './config-schema.ts';
import type { RouteConfig } from './relay-config.ts';
import type { ConfigIssue, ConfigPath } from './report-issues.ts';

type ProviderFile = ConfigFile['providers'][number];

/** `evidence` of a provider, and whose it is. */
export type EvidenceConfig = NonNullable<ProviderFile['evidence']> & { provider: string };

/** The best that a provider's answers can be. */
export function tierOfProvider(provider: Pick<ProviderFile, 'evidence'> | undefined): EvidenceTier {
  const tiers = { signature: 'provider-signed', tee: 'tee-attested', verathos: 'commitment-checked' } as const;
  const kind = provider?.evidence?.kind;
  return kind === undefined ? 'relay-signed' : tiers[kind];
}

/** What is collected of whose answers. */
export function resolveEvidence(providers: readonly ProviderFile[]): EvidenceConfig[] {
  return providers.flatMap(({ evidence, name }) => (evidence ? [{ ...evidence, provider: name }] : []));
}

/**
 * Refuses a demand for evidence that no deployment of its route can ever show, or, of a route that stands for others, none of theirs:
 * every call would be refused. What is wrong is pushed to `issues`.
 */
export function checkDemands(routes: readonly RouteConfig[], issues: ConfigIssue[]): void {
  for (const [index, { terms, ...route }] of routes.entries()) {
    const { auto, minimumEvidenceTier } = terms;
    const answering = auto === null ? [route] : routes.filter((other) => mayStandFor(other, auto.among));
    const deployments = answering.flatMap((one) => one.deployments);
    // That there are none is told elsewhere.
    if (deployments.length === 0) continue;
    const shown = [...new Set(deployments.map((one) => one.terms.evidenceTier))];
    const demands: [EvidenceTier | undefined, ConfigPath][] = [
      [minimumEvidenceTier, ['minimumEvidenceTier']],
      [auto?.evidenceTier, ['auto', 'evidenceTier']],
    ];
    for (const [tier, keys] of demands) {
      if (tier === undefined || shown.some((one) => meetsTier(one, tier))) continue;
      const whose = auto === null ? `no deployment of "${route.model}"` : 'no deployment that it stands for';
      const message = `is ${tier}, which ${whose} can show (they show ${shown.join(', ')}); add evidence to a provider, or demand less`;
      issues.push({ path: ['routes', index, ...keys], message });
    }
  }
}
