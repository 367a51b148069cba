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
  /** What the plan asked to be kept of the answer. */
  response: Uint8Array;
  /** Completion tokens that will be billed. */
  completionTokens: number;
}

/** What was found of an answer. */
export interface CollectedEvidence {
  tier: EvidenceTier;
  /** Kept beside the receipt; null where there is nothing to keep. */
  stored: StoredEvidence | null;
}

/** What is kept of a stream while it passes: many run at once, and any may be long. */
export interface KeptPart {
  part: 'beginning' | 'end';
  /** The most bytes that are kept, beside a piece of the network. */
  bytes: number;
  /** Whether nothing more of the beginning has to be kept. */
  isEnough?: (kept: Buffer) => boolean;
}

/** How evidence of a provider's answers is had. */
export interface EvidencePlan {
  /** What it has to see of a stream: the beginning has its id, the end a proof that is part of it. JSON is seen whole. */
  keep: KeptPart;
  /** Members that bring evidence with the answer. They are set where it is demanded, or whoever left them out would read for nothing. */
  members?: ReadonlyMap<string, string>;
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
