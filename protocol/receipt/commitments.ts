import { createHash, type Hash } from 'node:crypto';
import { randomBytes } from '../bytes/random-bytes.ts';

/** What is committed to: the exact bytes of a request, or of a response. */
export type CommitmentSubject = 'request' | 'response';

/** A new 32-byte salt: without it, a dictionary of likely prompts would open a commitment. */
export function createSalt(): Buffer {
  return randomBytes(32);
}

/**
 * A running commitment: SHA-256("autopay-<subject>-v1" ‖ salt ‖ bytes). Feed it the bytes as they pass.
 */
export function startCommitment(subject: CommitmentSubject, salt: Uint8Array): Hash {
  return createHash('sha256').update(`autopay-${subject}-v1`).update(salt);
}

/** The commitment to `bytes`. */
export function commit(options: { subject: CommitmentSubject; salt: Uint8Array; bytes: Uint8Array }): Buffer {
  return startCommitment(options.subject, options.salt).update(options.bytes).digest();
}
