import { signDigest } from '../../protocol/bytes/secp256k1.ts';
import type { SignedReceipt } from '../../protocol/receipt/signed-receipt.ts';
import type { TypedDataScope } from '../../protocol/typed-data/domain-separator.ts';
import { receiptBatchDigest, receiptDomainSeparator } from '../../protocol/typed-data/receipt-batch.ts';
import { batchPaths } from './batch-paths.ts';
import type { ChargeStore } from './charge-store.ts';
import type { GroupContext } from './group-context.ts';

/**
 * Signs the receipts of a group, once for all of them, and stores the batch in the group's own transaction: a receipt
 * that leaves the relay is a row that is durable.
 * @returns the signed receipts, in the order of `context.charges`.
 */
export function createSealReceipts(options: { charges: ChargeStore; scope: TypedDataScope; key: Uint8Array }) {
  const separator = receiptDomainSeparator(options.scope);

  return function sealReceipts({ batchId, charges, nowMs }: GroupContext): SignedReceipt[] {
    if (charges.length === 0) return [];
    const { root, paths } = batchPaths(charges.map((charge) => charge.leafHash));
    const size = charges.length;
    const signature = signDigest(receiptBatchDigest(separator, { root, size, signedAtMs: nowMs }), options.key);
    options.charges.insertBatch({ batchId, root, size, signedAtMs: nowMs, signature });
    return charges.map(({ entry, requestSalt, responseSalt }, index) => {
      const path = paths[index] ?? [];
      return { entry, index, size, signedAtMs: nowMs, path, signature, requestSalt, responseSalt };
    });
  };
}
