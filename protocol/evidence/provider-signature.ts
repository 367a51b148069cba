import { createHash } from 'node:crypto';
import { verifyEd25519 } from '../bytes/ed25519.ts';
import { fromHex, toHex, type Hex } from '../bytes/hex.ts';
import { keccak256 } from '../bytes/keccak256.ts';
import { recoverSigner } from '../bytes/secp256k1.ts';
import type { EvidenceDocument } from './evidence-document.ts';

/** A provider's key as configurations name it: an address (EIP-191), or `ed25519:` and 64 hexadecimal digits. */
export type ProviderKey = Hex | `ed25519:${string}`;

/** How a provider's key is written. */
export const providerKeyPattern = /^(?:0x[0-9a-f]{40}|ed25519:[0-9a-f]{64})$/i;

/** SHA-256. */
export function sha256(...parts: Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** What EIP-191 (version 0x45, `personal_sign`) signs of a text. */
export function personalMessageDigest(text: Uint8Array): Buffer {
  return keccak256(Buffer.from(`\x19Ethereum Signed Message:\n${text.length}`), text);
}

/** The key that made the signature; null if no key did, or it is not the one that the provider names. */
export function findSigner(signature: NonNullable<EvidenceDocument['signature']>): ProviderKey | null {
  const text = Buffer.from(signature.text, 'base64');
  const bytes = fromHex(signature.signature);
  if (signature.algorithm === 'ed25519') {
    const key = fromHex(signature.signer);
    return verifyEd25519(key, text, bytes) ? `ed25519:${key.toString('hex')}` : null;
  }
  try {
    const signer = recoverSigner(personalMessageDigest(text), withEthereumV(bytes));
    return signer === signature.signer ? signer : null;
  } catch {
    return null;
  }
}

/** Some signers write v as 0 or 1. */
function withEthereumV(signature: Buffer): Buffer {
  const v = signature[64];
  if (signature.length !== 65 || v === undefined || v > 1) return signature;
  return Buffer.concat([signature.subarray(0, 64), Buffer.from([v + 27])]);
}

/**
 * Whether a signed text names exactly these bytes: `sha256(request):sha256(response)` in hexadecimal, as Phala's servers sign it, or
 * with the model's name before them, as NEAR AI's do.
 */
export function namesExchange(
  text: Uint8Array,
  { requestDigest, responseDigest }: Pick<EvidenceDocument['exchange'], 'requestDigest' | 'responseDigest'>,
): boolean {
  const parts = Buffer.from(text).toString('utf8').toLowerCase().split(':');
  const [response, request] = parts.toReversed();
  return parts.length >= 2 && request === requestDigest.slice(2) && response === responseDigest.slice(2);
}

/** The bytes of a key that a quote's report data begins with: 20 of an address, 32 of a public key. */
export function keyBytes(key: ProviderKey): Buffer {
  return Buffer.from(key.startsWith('ed25519:') ? key.slice('ed25519:'.length) : key.slice(2), 'hex');
}

/** A digest as documents have it. */
export function sha256Hex(bytes: Uint8Array): Hex {
  return toHex(sha256(bytes));
}
