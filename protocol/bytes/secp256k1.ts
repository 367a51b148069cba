import secp256k1 from 'secp256k1';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import { fromHex, toHex, type Hex } from './hex.ts';
import { keccak256 } from './keccak256.ts';

/** Half of the curve's order, rounded down: a canonical s is not above it (EIP-2). */
const greatestLowS = Buffer.from('7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0', 'hex');

/** The Ethereum address of an uncompressed 65-byte public key, 20 bytes. */
function addressOfPublicKey(publicKey: Uint8Array): Buffer {
  return keccak256(publicKey.subarray(1)).subarray(12);
}

/** The Ethereum address (lower-case) of a 32-byte private key. */
export function addressOfPrivateKey(privateKey: Uint8Array): Hex {
  return toHex(addressOfPublicKey(secp256k1.publicKeyCreate(privateKey, false)));
}

/** Signs a 32-byte digest: 65 bytes r ‖ s ‖ v, low s, v 27 or 28 (RFC 6979 nonces). */
export function signDigest(digest: Uint8Array, privateKey: Uint8Array): Buffer {
  const { signature, recid } = secp256k1.ecdsaSign(digest, privateKey);
  return Buffer.concat([signature, Buffer.from([27 + recid])]);
}

/** The address (lower-case) that signed `digest`; see `recoverSignerBytes`. */
export function recoverSigner(digest: Uint8Array, signature: Uint8Array): Hex {
  return toHex(recoverSignerBytes(digest, signature));
}

/**
 * The address that signed `digest`, 20 bytes.
 * @param signature 65 bytes r ‖ s ‖ v with v 27 or 28; high s is refused (MPP session draft, "Signature Verification").
 * @throws AutoPayError `invalid_signature`.
 */
export function recoverSignerBytes(digest: Uint8Array, signature: Uint8Array): Buffer {
  const recid = (signature[64] ?? 0) - 27;
  if (signature.length !== 65 || (recid !== 0 && recid !== 1)) {
    throw new AutoPayError('invalid_signature', 'A signature is 65 bytes r ‖ s ‖ v with v 27 or 28. Sign again.');
  }
  if (Buffer.compare(signature.subarray(32, 64), greatestLowS) > 0) {
    throw new AutoPayError(
      'invalid_signature',
      'The signature has a high s value. Sign with a canonical (low-s) signer.',
    );
  }
  try {
    return addressOfPublicKey(secp256k1.ecdsaRecover(signature.subarray(0, 64), recid, digest, false));
  } catch (cause) {
    throw new AutoPayError('invalid_signature', 'No public key fits this signature. Sign again.', { cause });
  }
}

/**
 * A private key from its 0x-hex form.
 * @throws AutoPayError `invalid_argument`; the value is never in the message.
 */
export function parsePrivateKey(value: string): Buffer {
  const trimmed = value.trim();
  if (!/^0x[0-9a-fA-F]{64}$/.test(trimmed) || !secp256k1.privateKeyVerify(fromHex(trimmed))) {
    throw new AutoPayError('invalid_argument', 'A private key is 0x and 64 hexadecimal digits, on the curve.');
  }
  return fromHex(trimmed);
}
