import { AbiWriter } from '../bytes/abi-writer.ts';
import { keccak256 } from '../bytes/keccak256.ts';
import type { LogCheckpoint } from '../log/checkpoint.ts';
import { typedDataDigest } from './domain-separator.ts';

/** The EIP-712 types of a checkpoint; their domain is that of receipts (`receiptDomainSeparator`). */
export const logCheckpointTypes = {
  LogCheckpoint: [
    { name: 'origin', type: 'string' },
    { name: 'size', type: 'uint64' },
    { name: 'root', type: 'bytes32' },
    { name: 'signedAtMs', type: 'uint64' },
  ],
} as const;

const logCheckpointTypeHash = keccak256(
  Buffer.from('LogCheckpoint(string origin,uint64 size,bytes32 root,uint64 signedAtMs)'),
);

/**
 * The digest that the relay's receipt key signs of a checkpoint.
 * @param separator of the relay's receipts; see `receiptDomainSeparator`
 */
export function logCheckpointDigest(separator: Uint8Array, checkpoint: LogCheckpoint & { signedAtMs: number }): Buffer {
  const structHash = keccak256(
    new AbiWriter(5)
      .fixedBytes(logCheckpointTypeHash, 32)
      .fixedBytes(keccak256(Buffer.from(checkpoint.origin)), 32)
      .number(checkpoint.size)
      .fixedBytes(checkpoint.root, 32)
      .number(checkpoint.signedAtMs)
      .finish(),
  );
  return typedDataDigest(separator, structHash);
}
