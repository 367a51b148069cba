import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../bytes/hex.ts';
import { keccak256 } from '../bytes/keccak256.ts';
import { readVectors } from '../vectors/read-vectors.ts';
import { consistencyProof, verifyConsistency, type ConsistencyClaim } from './consistency.ts';
import { hashLeaf } from './hashes.ts';
import { inclusionProof, merkleRoot } from './inclusion.ts';

const { roots, inclusionDigests, consistencyDigests } = readVectors().merkleProofs;
const leafHashes = roots.map((_root, index) => {
  const entry = Buffer.alloc(8);
  entry.writeBigUInt64BE(BigInt(index));
  return hashLeaf(entry);
});
const sizes = roots.map((_root, index) => index + 1);

// Remembered: the proofs of 130 trees name the same few hundred subtrees thousands of times.
const subtreeRoots = new Map<string, Uint8Array>();
function subtreeRoot(start: number, end: number): Uint8Array {
  const root = subtreeRoots.get(`${start}:${end}`) ?? merkleRoot(leafHashes.slice(start, end));
  subtreeRoots.set(`${start}:${end}`, root);
  return root;
}

function proofBetween(olderSize: number, newerSize: number): Uint8Array[] {
  return consistencyProof({ olderSize, newerSize, subtreeRoot });
}

function claimBetween(olderSize: number, newerSize: number): ConsistencyClaim {
  return {
    olderRoot: fromHex(roots[olderSize - 1] ?? '0x'),
    olderSize,
    newerRoot: fromHex(roots[newerSize - 1] ?? '0x'),
    newerSize,
    proof: proofBetween(olderSize, newerSize),
  };
}

const pairs = fc
  .tuple(fc.integer({ min: 1, max: sizes.length }), fc.integer({ min: 1, max: sizes.length }))
  .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

describe('the trees of the vectors', () => {
  it('has their roots and proofs', () => {
    for (const size of sizes) {
      expect(toHex(merkleRoot(leafHashes.slice(0, size)))).toBe(roots[size - 1]);
      const inclusion = sizes.slice(0, size).flatMap((n) => inclusionProof({ index: n - 1, size, subtreeRoot }));
      expect(toHex(keccak256(Buffer.concat(inclusion)))).toBe(inclusionDigests[size - 1]);
      const consistency = sizes.slice(0, size).flatMap((older) => proofBetween(older, size));
      expect(toHex(keccak256(Buffer.concat(consistency)))).toBe(consistencyDigests[size - 1]);
    }
  });

  it('proves every older size of every newer one', () => {
    for (const newer of sizes) {
      for (const older of sizes.slice(0, newer)) expect(verifyConsistency(claimBetween(older, newer))).toBe(true);
    }
  });
});

describe('verifyConsistency', () => {
  it('refuses a proof, a root or a size of another pair', () => {
    fc.assert(
      fc.property(pairs, fc.nat(), fc.nat({ max: 255 }), ([older, newer], position, bit) => {
        const claim = claimBetween(older, newer);
        const flipped = (hash: Uint8Array): Uint8Array => {
          const copy = Uint8Array.from(hash);
          copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          return copy;
        };
        const at = position % Math.max(1, claim.proof.length);
        const wrong: Partial<ConsistencyClaim>[] = [
          { olderRoot: flipped(claim.olderRoot) },
          { newerRoot: flipped(claim.newerRoot) },
          { proof: [...claim.proof, claim.newerRoot] },
          { olderSize: 0 },
          { olderSize: older + 0.5 },
          { olderSize: newer + 1 },
        ];
        if (claim.proof.length > 0) {
          wrong.push(
            { proof: claim.proof.map((hash, index) => (index === at ? flipped(hash) : hash)) },
            { proof: claim.proof.map((hash, index) => (index === at ? hash.subarray(1) : hash)) },
            { proof: claim.proof.slice(1) },
            { proof: claim.proof.slice(0, -1) },
            { olderSize: newer, newerSize: older },
          );
        }
        for (const part of wrong) expect(verifyConsistency({ ...claim, ...part })).toBe(false);
      }),
    );
  });

  it('needs no proof between equal trees, and takes none', () => {
    const claim = claimBetween(5, 5);
    expect(claim.proof).toEqual([]);
    expect(verifyConsistency({ ...claim, proof: [claim.newerRoot] })).toBe(false);
    expect(verifyConsistency({ ...claim, newerRoot: claimBetween(5, 6).newerRoot })).toBe(false);
  });
});

describe('consistencyProof', () => {
  it('refuses sizes that no two trees have', () => {
    for (const [olderSize, newerSize] of [
      [0, 1],
      [2, 1],
      [1.5, 2],
    ] as const) {
      expect(() => proofBetween(olderSize, newerSize)).toThrow(RangeError);
    }
  });
});
