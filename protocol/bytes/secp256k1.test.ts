import { describe, expect, it } from 'vitest';
import { keccak256 } from './keccak256.ts';
import { toHex } from './hex.ts';
import { addressOfPrivateKey, recoverSigner, recoverSignerBytes, signDigest } from './secp256k1.ts';

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const privateKey = Buffer.alloc(32, 7);
const digest = keccak256(Buffer.from('a voucher'));

function withS(signature: Buffer, s: bigint, v: number): Buffer {
  const bytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex');
  return Buffer.concat([signature.subarray(0, 32), bytes, Buffer.from([v])]);
}

describe('recovering a signer', () => {
  const signature = signDigest(digest, privateKey);
  const s = BigInt(toHex(signature.subarray(32, 64)));
  const v = signature[64] ?? 0;

  it('gives the address of the key, as text and as bytes', () => {
    expect(recoverSigner(digest, signature)).toBe(addressOfPrivateKey(privateKey));
    expect(toHex(recoverSignerBytes(digest, signature))).toBe(addressOfPrivateKey(privateKey));
  });

  it('refuses the twin with a high s, which would recover to the same key', () => {
    const twin = withS(signature, order - s, v === 27 ? 28 : 27);
    expect(() => recoverSigner(digest, twin)).toThrow(expect.objectContaining({ code: 'invalid_signature' }));
  });

  it('takes the greatest low s, and not one more', () => {
    const half = order >> 1n;
    expect(recoverSigner(digest, withS(signature, half, v))).toMatch(/^0x[0-9a-f]{40}$/);
    expect(() => recoverSigner(digest, withS(signature, half + 1n, v))).toThrow(/high s/);
  });

  it('refuses an s of zero, an r that is no point, and other lengths and v', () => {
    const bad = [withS(signature, 0n, v), Buffer.alloc(65), signature.subarray(0, 64), withS(signature, s, 29)];
    for (const wrong of bad) {
      expect(() => recoverSigner(digest, wrong)).toThrow(expect.objectContaining({ code: 'invalid_signature' }));
    }
  });
});
