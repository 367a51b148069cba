import type { GroupContext } from '../group-context.ts';
import type { EvidenceStore, KeptEvidence, PrunedEvidence } from '../evidence-store.ts';
import type { Hex } from '../../../protocol/bytes/hex.ts';

/** The most documents, and attestations, that are pruned at a time: they can be large, and deleting them must not hold up the calls. */
const maxPruned = 50;

/** The operations of `EvidenceLedger`, by name. */
export function createEvidenceOperations({ evidence }: { evidence: EvidenceStore }) {
  return {
    putAttestation(attestation: { digest: Hex; body: string }, { nowMs }: GroupContext): void {
      evidence.putAttestation({ ...attestation, nowMs });
    },
    findEvidence: (callId: string): KeptEvidence | PrunedEvidence | undefined => evidence.find(callId),
    pruneEvidence: (beforeMs: number): number => evidence.prune(beforeMs, maxPruned),
  };
}
