import { createHash, type Hash } from 'node:crypto';
import { randomBytes } from '../bytes/random-bytes.ts';
import { sha256 } from '../merkle/hashes.ts';

/** What is committed to: the exact bytes of a request, or of a response. */
export type CommitmentSubject = 'request' | 'response';

const labels = {
  request: Buffer.from('autopay-request-v1'),
  response: Buffer.from('autopay-response-v1'),
} as const satisfies Record<CommitmentSubject, Buffer>;

/** Up to this, what is committed to is copied into one piece, which is hashed in a quarter of the time of three. */
const maxCopiedBytes = 65_536;

/** A new 32-byte salt: without it, a dictionary of likely prompts would open a commitment. */
export function createSalt(): Buffer {
  return randomBytes(32);
}

/**
 * A running commitment: SHA-256("autopay-<subject>-v1" ‖ salt ‖ bytes). Feed it the bytes as they pass.
 */
export function startCommitment(subject: CommitmentSubject, salt: Uint8Array): Hash {
  return createHash('sha256').update(labels[subject]).update(salt);
}

/** The commitment to `bytes`. */
export function commit(options: { subject: CommitmentSubject; salt: Uint8Array; bytes: Uint8Array }): Buffer {
  const { bytes, salt, subject } = options;
  if (bytes.length <= maxCopiedBytes) return sha256(labels[subject], salt, bytes);
  return startCommitment(subject, salt).update(bytes).digest();
}
