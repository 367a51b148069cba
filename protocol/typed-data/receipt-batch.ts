import { AbiWriter } from '../bytes/abi-writer.ts';
import { keccak256 } from '../bytes/keccak256.ts';
import { domainSeparator, typedDataDigest, type TypedDataScope } from './domain-separator.ts';

/** What the relay signs once per commit: the RFC 6962 root over the receipts that became durable together. */
export interface ReceiptBatch {
  /** RFC 6962 root over the leaf hashes of the receipts, in the order of their commit. */
  root: Uint8Array;
  /** Number of receipts under the root. */
  size: number;
  /** Unix milliseconds. */
  signedAtMs: number;
}

/** The EIP-712 types of a receipt batch. */
export const receiptBatchTypes = {
  ReceiptBatch: [
    { name: 'root', type: 'bytes32' },
    { name: 'size', type: 'uint64' },
    { name: 'signedAtMs', type: 'uint64' },
  ],
} as const;

const receiptBatchTypeHash = keccak256(Buffer.from('ReceiptBatch(bytes32 root,uint64 size,uint64 signedAtMs)'));

/** The domain separator of a relay's receipts; `verifyingContract` is its AutoPayLLM. Compute once. */
export function receiptDomainSeparator(scope: TypedDataScope): Buffer {
  return domainSeparator({ name: 'AutoPayLLM', version: '1', ...scope });
}

/** The digest that the relay signs. */
export function receiptBatchDigest(separator: Uint8Array, batch: ReceiptBatch): Buffer {
  const structHash = keccak256(
    new AbiWriter(4)
      .fixedBytes(receiptBatchTypeHash, 32)
      .fixedBytes(batch.root, 32)
      .number(batch.size)
      .number(batch.signedAtMs)
      .finish(),
  );
  return typedDataDigest(separator, structHash);
}
