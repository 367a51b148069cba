import type { Hex } from '../../protocol/bytes/hex.ts';
import type { KeptEvidence } from './evidence-store.ts';
import type { ChainWriter } from './group-worker.ts';

/** The books of what supports answers; a call's own evidence is written with its charge. */
export interface EvidenceLedger {
  /**
   * Keeps an attestation, which the evidence of many calls names. Resolves when it is durable: a charge that names it MUST come after.
   * @param attestation.digest SHA-256 of its JSON
   */
  putAttestation(attestation: { digest: Hex; body: string }): Promise<void>;
  /** Undefined where nothing but the relay's signature supports the call. */
  findEvidence(callId: string): Promise<KeptEvidence | undefined>;
}

/** The main thread's side of it. */
export function createEvidenceLedger(worker: ChainWriter): EvidenceLedger {
  return {
    putAttestation: (attestation) => worker.call('putAttestation', attestation),
    findEvidence: (callId) => worker.call('findEvidence', callId),
  };
}
