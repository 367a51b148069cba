import type { Hex } from '../bytes/hex.ts';
import type { ChallengeEcho } from '../mpp/session-schemas.ts';
import type { TokenPrices } from '../pricing/token-prices.ts';
import { evidenceTiers, usageKinds, type CallReceipt, type TokenUsage } from '../receipt/call-receipt.ts';
import type { CommitmentSubject } from '../receipt/commitments.ts';
import type { ChannelIdentity } from '../typed-data/channel-id.ts';
import vectors from './vectors.json' with { type: 'json' };

type Amounts = 'runningTotal' | 'amount' | 'refundOwed' | 'oracleRound';
type JsonReceipt = Omit<CallReceipt, Amounts | 'evidenceTier' | 'usageKind'> &
  Record<Amounts, string> &
  Record<'evidenceTier' | 'usageKind', number>;

type JsonPriceRow = { model: string; token: Hex; inUsd: boolean } & Record<keyof TokenPrices, string>;

/** vectors.json, as scripts/generate-vectors.ts writes it. */
export interface Vectors {
  scope: { chainId: number; escrow: Hex; autoPayLLM: Hex; signer: Hex };
  channels: (ChannelIdentity & { channelId: Hex })[];
  vouchers: { channelId: Hex; cumulativeAmount: string; digest: Hex; signature: Hex }[];
  receipts: { fields: JsonReceipt; entry: Hex; leafHash: Hex }[];
  receiptBatches: { root: Hex; size: number; signedAtMs: number; digest: Hex; signature: Hex; paths: Hex[][] }[];
  trees: { size: number; root: Hex; leafHashes: Hex[]; paths: Hex[][] }[];
  /** Trees of 1 … 130 leaves: roots, and keccak256 over all proofs of a size (see scripts/vectors/merkle-proofs.ts). */
  merkleProofs: { leaves: string; roots: Hex[]; inclusionDigests: Hex[]; consistencyDigests: Hex[] };
  commitments: { subject: CommitmentSubject; salt: Hex; bytes: Hex; commitment: Hex }[];
  challenges: { challenge: ChallengeEcho; secret: Hex }[];
  blocks: { start: number; entries: number; bytes: Hex; cid: string; root: Hex }[];
  priceTable: { root: Hex; size: number; rows: { row: JsonPriceRow; encoded: Hex; leafHash: Hex; path: Hex[] }[] };
  priceCosts: {
    /** Index of the row in `priceTable`. */
    row: number;
    usage: TokenUsage;
    conversion: { answer: string; answerDecimals: number; tokenDecimals: number } | null;
    cost: string;
  }[];
  costs: { usage: Partial<TokenUsage>; prices: Record<keyof TokenPrices, number>; cost: string }[];
}

/** For tests: the shared vectors. */
export function readVectors(): Vectors {
  return vectors as unknown as Vectors;
}

/** A receipt of the vectors, with amounts and names as the code has them. */
export function receiptOfVector(fields: JsonReceipt): CallReceipt {
  const evidenceTier = evidenceTiers[fields.evidenceTier];
  const usageKind = usageKinds[fields.usageKind];
  if (evidenceTier === undefined || usageKind === undefined)
    throw new RangeError('a vector has an unknown tier or kind');
  return {
    ...fields,
    runningTotal: BigInt(fields.runningTotal),
    amount: BigInt(fields.amount),
    refundOwed: BigInt(fields.refundOwed),
    oracleRound: BigInt(fields.oracleRound),
    evidenceTier,
    usageKind,
  };
}
