import type { EvidenceTier } from '../../protocol/receipt/call-receipt.ts';
import type { ConfigFile } from './config-schema.ts';

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
