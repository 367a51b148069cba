import type { Hex } from '../../protocol/bytes/hex.ts';
import type { KeptEvidence, PrunedEvidence } from './evidence-store.ts';
import type { ChainWriter } from './group-worker.ts';

/** The books of what supports answers; a call's own evidence is written with its charge. */
export interface EvidenceLedger {
  /**
   * Keeps an attestation, which the evidence of many calls names. Resolves when it is durable: a charge that names it MUST come after.
   * @param attestation.digest SHA-256 of its JSON
   */
  putAttestation(attestation: { digest: Hex; body: string }): Promise<void>;
  /** Undefined where nothing but the relay's signature ever supported the call. */
  findEvidence(callId: string): Promise<KeptEvidence | PrunedEvidence | undefined>;
  /**
   * Deletes some of the evidence of calls that were admitted before `beforeMs`, and of the attestations that nothing names any more, and
   * says how many; 0 when none is left. What is asked for of before is said to be pruned from then on, for good.
   */
  pruneEvidence(beforeMs: number): Promise<number>;
}

/** The main thread's side of it. */
export function createEvidenceLedger(worker: ChainWriter): EvidenceLedger {
  return {
    putAttestation: (attestation) => worker.call('putAttestation', attestation),
    findEvidence: (callId) => worker.call('findEvidence', callId),
    pruneEvidence: (beforeMs) => worker.call('pruneEvidence', beforeMs),
  };
}
