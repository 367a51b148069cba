import { toHex, zeroBytes32, type Hex } from '../../protocol/bytes/hex.ts';
import { orUndefined } from '../../protocol/errors/or-undefined.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { decodeSignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import { recoverReceipt } from '../../protocol/receipt/verify-signed-receipt.ts';
import type { StoredReceipt } from '../receipt-store.ts';
import { toSignedReceiptStruct } from './build-evidence.ts';
import type { Evidence, SignedReceiptStruct } from './evidence-schema.ts';

/** Older signatures are no evidence (BillingDisputes.MAX_RECEIPT_AGE). */
const maxAgeSeconds = 2_592_000;

/** A receipt of a channel, as the wallet holds it and as the contract would take it. */
export interface HeldReceipt {
  receipt: CallReceipt;
  /** Leaf hash of its entry: two receipts are the same if this is. */
  leaf: Hex;
  /** Made when it is asked for: of most receipts nobody does. */
  readonly struct: SignedReceiptStruct;
  signer: Hex;
  signedAtMs: number;
  chainId: number;
  /** The AutoPayLLM contract that the signature is for. */
  payee: Hex;
  /** What did not fit when it came, in words. */
  problems: readonly string[];
}

/** Something that a relay cannot have done honestly, with what proves it. */
export interface Finding {
  evidence: Evidence;
  /** What was found, in words that follow a colon. */
  reason: string;
  channelId: Hex;
  /** Of the disputed call; null where the whole channel is disputed. */
  callId: string | null;
}

/**
 * Reads a stored receipt as evidence.
 * @returns undefined if no channel was charged, so that no contract can judge it, or if nobody's signature is on it.
 */
export function holdReceipt(stored: StoredReceipt): HeldReceipt | undefined {
  if (stored.channelId === zeroBytes32) return undefined;
  const { chainId, problems } = stored;
  const payee = stored.payee as Hex;
  return orUndefined(() => {
    const signed = decodeSignedReceipt(stored.receipt);
    const { receipt, signer } = recoverReceipt(signed, { chainId, verifyingContract: payee });
    const { signedAtMs } = signed;
    const leaf = toHex(hashLeaf(signed.entry));
    return {
      ...{ receipt, leaf, signer, signedAtMs, chainId, payee, problems },
      get struct() {
        return toSignedReceiptStruct(stored);
      },
    };
  });
}

/** Where receipts of channels have to be in the log: the leaf hashes of their entries, without a look at who signed them. */
export function leavesOf(receipts: readonly StoredReceipt[]): Set<Hex> {
  const leaves = receipts
    .filter(({ channelId }) => channelId !== zeroBytes32)
    .flatMap(({ receipt }) => orUndefined(() => toHex(hashLeaf(decodeSignedReceipt(receipt).entry))) ?? []);
  return new Set(leaves);
}

/** Whether a receipt still counts as evidence. @param now unix seconds */
export function isRecent({ signedAtMs }: HeldReceipt, now: number): boolean {
  return Math.floor(signedAtMs / 1_000) >= now - maxAgeSeconds;
}

/** A finding about one call. */
export function findingOf(evidence: Evidence, { receipt }: HeldReceipt, reason: string): Finding {
  return { evidence, reason, channelId: receipt.channelId, callId: receipt.callId };
}
