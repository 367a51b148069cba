import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { EvidenceTier } from '../../../protocol/receipt/call-receipt.ts';
import type { StoredEvidence } from '../../ledger/ledger.ts';
import type { Deployment } from '../types.ts';

/** What went to a provider and what came back, as digests of the exact bytes. */
export interface Exchange {
  callId: string;
  deployment: Deployment;
  /** SHA-256. */
  requestDigest: Hex;
  /** Whether the body that went out is the client's, byte for byte. */
  isClientsRequest: boolean;
  responseDigest: Hex;
  stream: boolean;
  /** The answer, as far as `keepBytes` goes; null where it was longer. */
  response: Uint8Array | null;
  /** What the provider says that it generated; null if it says nothing. */
  completionTokens: number | null;
}

/** What was found of an answer. */
export interface CollectedEvidence {
  tier: EvidenceTier;
  /** Kept beside the receipt; null where there is nothing to keep. */
  stored: StoredEvidence | null;
}

/** How evidence of a provider's answers is had. */
export interface EvidencePlan {
  /** How much of an answer it has to see: its id, or a proof that is part of it. */
  keepBytes: number;
  /**
   * Asks for the evidence of an answer that has ended, and judges it; within a time of its own.
   * Never rejects: what cannot be had lowers the tier, and the document says why.
   */
  collect(exchange: Exchange): Promise<CollectedEvidence>;
}

/** Knows which providers' answers have evidence. */
export interface EvidenceCollector {
  /** Undefined where nothing is collected: such a call costs nothing more. */
  planFor(deployment: Deployment): EvidencePlan | undefined;
}
