import { toHex, type Hex } from '../protocol/bytes/hex.ts';
import { recoverSigner } from '../protocol/bytes/secp256k1.ts';
import { hashLeaf, hashNode } from '../protocol/merkle/hashes.ts';
import type { SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import type { TypedDataScope } from '../protocol/typed-data/domain-separator.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../protocol/typed-data/receipt-batch.ts';

/**
 * Who signed the batch that a receipt's path leads to. Whether that is the relay is for the chain to say.
 * @param scope chain and AutoPayLLM contract of the relay.
 * @throws AutoPayError `invalid_signature`, RangeError if the path does not fit the index and size.
 */
export function recoverReceiptSigner(signed: SignedReceipt, scope: TypedDataScope): Hex {
  return createSignerCache(scope)(signed);
}

/**
 * The same for many receipts: one signature is for all receipts of a commit, and is recovered once.
 * @param scope chain and AutoPayLLM contract of the relay.
 * @returns a function that throws as `recoverReceiptSigner`.
 */
export function createSignerCache(scope: TypedDataScope): (signed: SignedReceipt) => Hex {
  const separator = receiptDomainSeparator(scope);
  const signers = new Map<string, Hex>();
  return (signed) => {
    const { index, size, path, signedAtMs, signature } = signed;
    if (!Number.isSafeInteger(size) || index < 0 || index >= size)
      throw new RangeError(`no receipt ${index} in a batch of ${size}`);
    const root = rootOfPath(hashLeaf(signed.entry), { index, size, path });
    const digest = receiptBatchDigest(separator, { root, size, signedAtMs });
    const key = `${toHex(digest)}${toHex(signature)}`;
    const signer = signers.get(key) ?? recoverSigner(digest, signature);
    signers.set(key, signer);
    return signer;
  };
}

/**
 * The root that a path leads to: the definition of the tree (RFC 6962 §2.1.1) read backwards, not the iteration that the
 * relay and the contract use.
 * @throws RangeError if the path does not fit the size.
 */
function rootOfPath(
  leafHash: Uint8Array,
  place: { index: number; size: number; path: readonly Uint8Array[] },
): Uint8Array {
  const { index, size, path } = place;
  const sibling = path.at(-1);
  if (size === 1 && sibling === undefined) return leafHash;
  if (size === 1 || sibling === undefined) throw new RangeError('the path does not fit the size of the batch');
  let left = 1;
  while (left * 2 < size) left *= 2;
  const rest = path.slice(0, -1);
  if (index < left) return hashNode(rootOfPath(leafHash, { index, size: left, path: rest }), sibling);
  return hashNode(sibling, rootOfPath(leafHash, { index: index - left, size: size - left, path: rest }));
}
