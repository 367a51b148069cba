import type { SignedReceiptStruct } from '../../client/disputes/evidence-schema.ts';
import { fromHex, toHex } from '../../protocol/bytes/hex.ts';
import { signDigest } from '../../protocol/bytes/secp256k1.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { inclusionProofOf, merkleRoot } from '../../protocol/merkle/inclusion.ts';
import type { CallReceipt } from '../../protocol/receipt/call-receipt.ts';
import { encodeReceipt } from '../../protocol/receipt/encode-receipt.ts';
import type { TypedDataScope } from '../../protocol/typed-data/domain-separator.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../../protocol/typed-data/receipt-batch.ts';
import type { StackFile } from '../stack.ts';
import { readRelayKey } from './read-relay-key.ts';

/**
 * Signs statements with the relay's own key, as one batch, byte for byte as the relay signs its receipts (server/ledger): what
 * a relay would do that cheats. Its software signs no statement that its books do not have.
 * @returns the statements with their paths in the batch, in their order.
 */
export async function signFalsely(stack: StackFile, receipts: readonly CallReceipt[]): Promise<SignedReceiptStruct[]> {
  const scope = { chainId: stack.chainId, verifyingContract: stack.contracts.autoPayLLM };
  return signAsBatch({ scope, key: fromHex(await readRelayKey(stack), 32) }, receipts);
}

/** The same for any chain, with the key itself. */
export function signAsBatch(
  { scope, key }: { scope: TypedDataScope; key: Uint8Array },
  receipts: readonly CallReceipt[],
): SignedReceiptStruct[] {
  const entries = receipts.map(encodeReceipt);
  const leafHashes = entries.map(hashLeaf);
  const [root, size, signedAtMs] = [merkleRoot(leafHashes), entries.length, Date.now()];
  const digest = receiptBatchDigest(receiptDomainSeparator(scope), { root, size, signedAtMs });
  const signature = toHex(signDigest(digest, key));
  return entries.map((entry, index) => ({
    entry: toHex(entry),
    batch: { root: toHex(root), size: BigInt(size), signedAtMs: BigInt(signedAtMs) },
    index: BigInt(index),
    path: inclusionProofOf(leafHashes, index).map(toHex),
    signature,
  }));
}
