import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';

/** What stands before the 32 bytes in the PKCS #8 form of a private key (RFC 8410 §7). */
const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/** What stands before the 32 bytes in the SPKI form of a public key (RFC 8410 §4). */
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** An Ed25519 key that signs. */
export interface Ed25519Key {
  /** 32 bytes (RFC 8032 §5.1.5). */
  publicKey: Buffer;
  /** 64 bytes (RFC 8032 §5.1.6). */
  sign: (message: Uint8Array) => Buffer;
}

/**
 * The key of a seed.
 * @param seed 32 random bytes
 * @throws RangeError if it has another length
 */
export function ed25519KeyOf(seed: Uint8Array): Ed25519Key {
  if (seed.length !== 32) throw new RangeError(`an Ed25519 seed has 32 bytes, not ${seed.length}`);
  const key = createPrivateKey({ key: Buffer.concat([privatePrefix, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return { publicKey: spki.subarray(publicPrefix.length), sign: (message) => sign(null, message, key) };
}

/** Whether it is the signature of this public key, 32 bytes, over the message. False too for what is no key or no signature. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const key = createPublicKey({ key: Buffer.concat([publicPrefix, publicKey]), format: 'der', type: 'spki' });
  return verify(null, message, key, signature);
}
