import type { Hex } from '../bytes/hex.ts';

/** What was metered, in tokens. As in OpenAI's `usage`, the parts lie inside `prompt` and `completion`. */
export interface TokenUsage {
  prompt: number;
  /** Part of `prompt` that was read from the provider's cache. */
  cachedPrompt: number;
  /** Part of `prompt` that was written to the provider's cache. */
  cacheWrite: number;
  /** Part of `prompt` that was audio. */
  audioPrompt: number;
  completion: number;
  /** Part of `completion` that was reasoning. */
  reasoning: number;
  /** Part of `completion` that was audio. */
  audioCompletion: number;
}

/** How much a receipt proves about the inference itself; never more than was checked. */
export const evidenceTiers = [
  'relay-signed',
  'provider-signed',
  'tee-attested',
  'commitment-checked',
  'proof-checked',
] as const;
export type EvidenceTier = (typeof evidenceTiers)[number];

/** Where the usage comes from: the provider's own numbers, or a tokenizer because it gave none. */
export const usageKinds = ['exact', 'estimated'] as const;
export type UsageKind = (typeof usageKinds)[number];

/** The relay's statement of one call; ABI-encoded it is the entry of the audit log. Amounts are atomic units of `token`. */
export interface CallReceipt {
  version: 1;
  /** UUIDv7 in text form, lower-case; 16 bytes on the wire. */
  callId: string;
  admittedAtMs: number;
  chargedAtMs: number;
  /** Zero address where nobody pays (a free route). */
  payer: Hex;
  /** Zero where the payment has no channel. */
  channelId: Hex;
  /** Per channel, from 1, without gaps; 0 without a channel. */
  sequence: number;
  /** Sum of the amounts of this channel's receipts up to this one; 0 without a channel. */
  runningTotal: bigint;
  /** Zero address where nothing is charged. */
  token: Hex;
  amount: bigint;
  /** What a fixed-price payment overpaid and gets back with the booking. */
  refundOwed: bigint;
  /** Root of the published price table that was in force. */
  priceRoot: Hex;
  /** Oracle round of a conversion; 0 where there was none. */
  oracleRound: bigint;
  usage: TokenUsage;
  requestCommitment: Hex;
  responseCommitment: Hex;
  attemptsDigest: Hex;
  evidenceTier: EvidenceTier;
  usageKind: UsageKind;
  modelAsked: string;
  modelServed: string;
  provider: string;
  deployment: string;
}

/** The Solidity struct, as ABI parameters (contracts/types/CallReceipt.sol). */
export const callReceiptAbi = [
  {
    name: 'receipt',
    type: 'tuple',
    components: [
      { name: 'version', type: 'uint16' },
      { name: 'callId', type: 'bytes16' },
      { name: 'admittedAtMs', type: 'uint64' },
      { name: 'chargedAtMs', type: 'uint64' },
      { name: 'payer', type: 'address' },
      { name: 'channelId', type: 'bytes32' },
      { name: 'sequence', type: 'uint64' },
      { name: 'runningTotal', type: 'uint128' },
      { name: 'token', type: 'address' },
      { name: 'amount', type: 'uint128' },
      { name: 'refundOwed', type: 'uint128' },
      { name: 'priceRoot', type: 'bytes32' },
      { name: 'oracleRound', type: 'uint256' },
      {
        name: 'usage',
        type: 'tuple',
        components: [
          { name: 'prompt', type: 'uint64' },
          { name: 'cachedPrompt', type: 'uint64' },
          { name: 'cacheWrite', type: 'uint64' },
          { name: 'audioPrompt', type: 'uint64' },
          { name: 'completion', type: 'uint64' },
          { name: 'reasoning', type: 'uint64' },
          { name: 'audioCompletion', type: 'uint64' },
        ],
      },
      { name: 'requestCommitment', type: 'bytes32' },
      { name: 'responseCommitment', type: 'bytes32' },
      { name: 'attemptsDigest', type: 'bytes32' },
      { name: 'evidenceTier', type: 'uint8' },
      { name: 'usageKind', type: 'uint8' },
      { name: 'modelAsked', type: 'string' },
      { name: 'modelServed', type: 'string' },
      { name: 'provider', type: 'string' },
      { name: 'deployment', type: 'string' },
    ],
  },
] as const;
