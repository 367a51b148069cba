import { describe, expect, it } from 'vitest';
import { toHex } from '../../protocol/bytes/hex.ts';
import { signDigest } from '../../protocol/bytes/secp256k1.ts';
import type { CollectionClaim } from '../ledger/background-ledger.ts';
import { claimBytes, encodeClaims } from './encode-claims.ts';

const key = Buffer.alloc(32, 1);

function claim(overrides: Partial<CollectionClaim> = {}): CollectionClaim {
  return {
    channel: {
      channelId: `0x${'00'.repeat(32)}`,
      payer: `0x${'11'.repeat(20)}`,
      payee: `0x${'22'.repeat(20)}`,
      token: `0x${'33'.repeat(20)}`,
      salt: `0x${'44'.repeat(32)}`,
      authorizedSigner: `0x${'55'.repeat(20)}`,
      deposit: 10n,
      settled: 0n,
      closeRequestedAt: 0,
      finalized: false,
      readAtBlock: 1,
      acceptedCumulative: 0n,
      acceptedSignature: null,
      charged: 0n,
      reserved: 0n,
      sequence: 0,
    },
    maximum: 2n ** 96n - 1n,
    claimed: (5n << 64n) + 6n,
    signature: toHex(signDigest(Buffer.alloc(32, 2), key)),
    throughSequence: 1,
    ...overrides,
  };
}

/** Signatures of both parities. */
function signatureWith(v: number): Buffer {
  for (let seed = 0; seed < 256; seed += 1) {
    const signature = signDigest(Buffer.alloc(32, seed), key);
    if (signature[64] === v) return signature;
  }
  throw new Error(`no signature with v ${v}`);
}

describe('encodeClaims', () => {
  it('packs the fields where the contract reads them', () => {
    const bytes = encodeClaims([claim(), claim()]);
    expect(bytes).toHaveLength(2 * claimBytes);
    const fields = ['11'.repeat(20), '44'.repeat(32), '55'.repeat(20), 'ff'.repeat(12), '00000005', '0000000000000006'];
    expect(bytes.subarray(0, 96).toString('hex')).toBe(fields.join(''));
    expect(bytes.subarray(claimBytes)).toEqual(bytes.subarray(0, claimBytes));
  });

  it('puts the parity of the signature into the top bit of s', () => {
    for (const v of [27, 28]) {
      const signature = signatureWith(v);
      const packed = encodeClaims([claim({ signature: toHex(signature) })]);
      const expected = Buffer.from(signature.subarray(0, 64));
      expected[32] = (expected[32] ?? 0) | ((v - 27) << 7);
      expect(packed.subarray(96)).toEqual(expected);
    }
  });

  it('refuses amounts beyond 96 bits and signatures that have no compact form', () => {
    const highS = Buffer.concat([Buffer.alloc(32, 1), Buffer.alloc(32, 0xff), Buffer.from([27])]);
    const wrongV = Buffer.concat([Buffer.alloc(64, 1), Buffer.from([2])]);
    for (const broken of [
      { maximum: 2n ** 96n },
      { claimed: -1n },
      { signature: toHex(highS) },
      { signature: toHex(wrongV) },
    ]) {
      expect(() => encodeClaims([claim(broken)])).toThrow(expect.objectContaining({ code: 'invalid_encoding' }));
    }
  });
});
