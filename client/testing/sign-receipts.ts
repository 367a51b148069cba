import { zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { addressOfPrivateKey, signDigest } from '../../protocol/bytes/secp256k1.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { inclusionProofOf, merkleRoot } from '../../protocol/merkle/inclusion.ts';
import { createCallId } from '../../protocol/receipt/call-id.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { encodeReceipt } from '../../protocol/receipt/encode-receipt.ts';
import { encodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../../protocol/typed-data/receipt-batch.ts';
import type { StoredReceipt } from '../receipt-store.ts';

const key = Buffer.alloc(32, 0x11);
/** Who signs the receipts of `signReceipts`, if not told otherwise. */
export const receiptSigner = addressOfPrivateKey(key);
/** The channel of `makeReceipt`. */
export const receiptChannel: Hex = `0x${'c4'.repeat(32)}`;

/** An honest receipt over 10 atomic units, third of its channel. */
export function makeReceipt(change: Partial<CallReceipt> = {}): CallReceipt {
  const none = { cachedPrompt: 0, cacheWrite: 0, audioPrompt: 0, reasoning: 0, audioCompletion: 0 };
  return {
    ...{ version: 1, callId: createCallId(), admittedAtMs: Date.now(), chargedAtMs: Date.now() },
    ...{ payer: `0x${'aa'.repeat(20)}`, channelId: receiptChannel, sequence: 3, runningTotal: 30n },
    ...{ token: `0x${'dc'.repeat(20)}`, amount: 10n, refundOwed: 0n, priceRoot: zeroBytes32, oracleRound: 0n },
    usage: { prompt: 10, completion: 0, ...none },
    ...{ requestCommitment: zeroBytes32, responseCommitment: zeroBytes32, attemptsDigest: zeroBytes32 },
    ...{ evidenceTier: 'relay-signed', usageKind: 'exact', modelAsked: 'm', modelServed: 'm' },
    ...{ provider: 'p', deployment: 'd', ...change },
  };
}

/** How receipts are signed and stored. */
interface Signing {
  signedAtMs?: number;
  key?: Uint8Array;
  chainId?: number;
  payee?: Hex;
  relayUrl?: string;
  problems?: string[];
}

/** Signs receipts as one batch, as the relay does, and gives them as the wallet stores them. */
export function signReceipts(receipts: readonly CallReceipt[], signing: Signing = {}): StoredReceipt[] {
  const { signedAtMs = Date.now(), chainId = 31_337, payee = `0x${'a1'.repeat(20)}` } = signing;
  const { relayUrl = 'http://relay', problems = [] } = signing;
  const entries = receipts.map(encodeReceipt);
  const leaves = entries.map(hashLeaf);
  const batch = { root: merkleRoot(leaves), size: entries.length, signedAtMs };
  const digest = receiptBatchDigest(receiptDomainSeparator({ chainId, verifyingContract: payee }), batch);
  const signature = signDigest(digest, signing.key ?? key);
  const salts = { requestSalt: Buffer.alloc(32), responseSalt: Buffer.alloc(32) };
  return receipts.map(({ callId, modelAsked, channelId, sequence, amount, usage }, index) => ({
    ...{ callId, receivedAtMs: signedAtMs, relayUrl, chainId, payee, model: modelAsked, channelId, sequence },
    ...{ amount: String(amount), promptTokens: usage.prompt, completionTokens: usage.completion, problems },
    receipt: encodeSignedReceipt({
      ...{ entry: entries[index] ?? new Uint8Array(), index, size: batch.size, signedAtMs },
      ...{ path: inclusionProofOf(leaves, index), signature, ...salts },
    }),
  }));
}
