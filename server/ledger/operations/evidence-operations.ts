import type { GroupContext } from '../group-context.ts';
import type { EvidenceStore, KeptEvidence } from '../evidence-store.ts';
import type { Hex } from '../../../protocol/bytes/hex.ts';

/** The operations of `EvidenceLedger`, by name. */
export function createEvidenceOperations({ evidence }: { evidence: EvidenceStore }) {
  return {
    putAttestation(attestation: { digest: Hex; body: string }, { nowMs }: GroupContext): void {
      evidence.putAttestation({ ...attestation, nowMs });
    },
    findEvidence: (callId: string): KeptEvidence | undefined => evidence.find(callId),
  };
}
