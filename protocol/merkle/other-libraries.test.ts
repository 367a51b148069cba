import { verifyMerkleInclusion } from '@sigstore/verify/dist/tlog/merkle.js';
import { RFC9162 as theirs } from '@transmute/rfc9162';
import { beforeAll, describe, expect, it } from 'vitest';
import { flipBit } from '../../test/support/flip-bit.ts';
import { consistencyProof, verifyConsistency } from './consistency.ts';
import { hashLeaf } from './hashes.ts';
import { inclusionProof, merkleRoot, verifyInclusion } from './inclusion.ts';

/*
 * What we prove holds by code that others wrote: @transmute/rfc9162 (RFC 9162) and @sigstore/verify (which reads Rekor's proofs).
 */

const largest = 130;
const entries = Array.from({ length: largest }, (_, index) => Buffer.from(`entry ${index}`));
const leafHashes = entries.map(hashLeaf);
const sizes = Array.from({ length: largest }, (_, index) => index + 1);

const subtrees = new Map<string, Uint8Array>();
function subtreeRoot(start: number, end: number): Uint8Array {
  const root = subtrees.get(`${start}:${end}`) ?? merkleRoot(leafHashes.slice(start, end));
  subtrees.set(`${start}:${end}`, root);
  return root;
}
const rootOf = (size: number) => subtreeRoot(0, size);

/** A leaf in a tree, and what is said to prove it. */
interface Claim {
  entry: Buffer;
  index: number;
  size: number;
  path: Uint8Array[];
  root: Uint8Array;
}

function holdsBySigstore(claim: Claim): boolean {
  const { entry, index, size, path, root } = claim;
  const hashes = path.map((hash) => Buffer.from(hash));
  const proof = { logIndex: String(index), treeSize: String(size), rootHash: Buffer.from(root), hashes };
  type Entry = Parameters<typeof verifyMerkleInclusion>[0];
  type Checkpoint = Parameters<typeof verifyMerkleInclusion>[1];
  const checkpoint = { logSize: BigInt(size), logHash: Buffer.from(root) } as unknown as Checkpoint;
  try {
    verifyMerkleInclusion({ canonicalizedBody: entry, inclusionProof: proof } as unknown as Entry, checkpoint);
    return true;
  } catch {
    return false;
  }
}

async function includesByTransmute({ entry, index, size, path, root }: Claim): Promise<boolean> {
  const proof = { log_id: '', tree_size: size, leaf_index: index, inclusion_path: path };
  return theirs.verifyInclusionProof(root, hashLeaf(entry), proof);
}

/** Where the older size is a power of two, it has the older root in the proof, which RFC 9162 §2.1.4.2 (step 2) leaves to the verifier. */
function asTransmute(olderSize: number, proof: readonly Uint8Array[]): Uint8Array[] {
  return Number.isInteger(Math.log2(olderSize)) ? [rootOf(olderSize), ...proof] : [...proof];
}

async function extendsByTransmute(olderSize: number, newerSize: number, path: readonly Uint8Array[]) {
  const consistencyPath = asTransmute(olderSize, path);
  const proof = { log_id: '', tree_size_1: olderSize, tree_size_2: newerSize, consistency_path: consistencyPath };
  return theirs.verifyConsistencyProof(rootOf(olderSize), rootOf(newerSize), proof);
}

describe('our trees', () => {
  beforeAll(() => {
    for (const size of sizes) rootOf(size);
  });

  it('have the roots that RFC 9162 says, by @transmute/rfc9162', async () => {
    for (const size of sizes.filter((candidate) => candidate % 7 === 1 || candidate > 125)) {
      expect(Buffer.from(await theirs.treeHead(entries.slice(0, size)))).toEqual(rootOf(size));
    }
  });

  it('have a path for each index and size that both take, and neither with another leaf, index or root', async () => {
    for (const size of sizes) {
      const root = rootOf(size);
      for (let index = 0; index < size; index += 1) {
        const name = `${index} of ${size}`;
        const path = inclusionProof({ index, size, subtreeRoot });
        const entry = entries[index] ?? expect.fail();
        const claim = { entry, leafHash: hashLeaf(entry), index, size, path, root };
        expect(holdsBySigstore(claim), name).toBe(true);
        expect(await includesByTransmute(claim), name).toBe(true);
        expect(verifyInclusion(claim), name).toBe(true);
        const wrong = { ...claim, index: (index + 1) % size };
        expect(holdsBySigstore(wrong), name).toBe(size === 1);
        expect(verifyInclusion(wrong), name).toBe(size === 1);
      }
    }
  });

  it('have a proof for each older and newer size that @transmute/rfc9162 takes', async () => {
    for (const newer of sizes) {
      for (let older = 1; older < newer; older += 1) {
        const proof = consistencyProof({ olderSize: older, newerSize: newer, subtreeRoot });
        expect(await extendsByTransmute(older, newer, proof), `${older} to ${newer}`).toBe(true);
      }
    }
  });

  it('have the very proofs that it makes itself', async () => {
    for (const size of [1, 2, 3, 7, 8, 20, 33]) {
      const own = entries.slice(0, size);
      for (let index = 0; index < size; index += 1) {
        const path = inclusionProof({ index, size, subtreeRoot });
        expect((await theirs.PATH(index, own)).map((hash) => Buffer.from(hash))).toEqual(path);
        if (index === 0) continue;
        const proof = asTransmute(index, consistencyProof({ olderSize: index, newerSize: size, subtreeRoot }));
        expect((await theirs.PROOF(index, own)).map((hash) => Buffer.from(hash))).toEqual(proof);
      }
    }
  });
});

describe('a flipped byte', () => {
  const flip = (bytes: Uint8Array, at: number) => flipBit(bytes, at, 0x80);
  const places = [
    [0, 1],
    [0, 2],
    [5, 130],
    [64, 130],
    [128, 130],
    [129, 130],
  ] as const;

  it.each(places)('anywhere in path, entry or root of %i in %i is refused, by us and by Sigstore', (index, size) => {
    const entry = entries[index] ?? expect.fail();
    const path = inclusionProof({ index, size, subtreeRoot });
    const claim = { entry, index, size, path, root: rootOf(size) };
    const holds = (changed: typeof claim) => [
      verifyInclusion({ ...changed, leafHash: hashLeaf(changed.entry) }),
      holdsBySigstore(changed),
    ];
    expect(holds(claim)).toEqual([true, true]);
    const changes = [
      ...Array.from(entry, (_, at) => ({ entry: flip(entry, at) })),
      ...Array.from(claim.root, (_, at) => ({ root: flip(claim.root, at) })),
      ...path.flatMap((hash, step) => Array.from(hash, (_, at) => ({ path: path.with(step, flip(hash, at)) }))),
    ];
    for (const change of changes) expect(holds({ ...claim, ...change })).toEqual([false, false]);
  });

  it.each([
    [1, 2],
    [6, 8],
    [64, 130],
    [129, 130],
  ])('anywhere in the proof from %i to %i is refused, by us and by @transmute/rfc9162', async (older, newer) => {
    const proof = consistencyProof({ olderSize: older, newerSize: newer, subtreeRoot });
    const claim = { olderRoot: rootOf(older), olderSize: older, newerRoot: rootOf(newer), newerSize: newer };
    for (const [step, hash] of proof.entries()) {
      for (let at = 0; at < hash.length; at += 1) {
        const changed = proof.with(step, flip(hash, at));
        expect(verifyConsistency({ ...claim, proof: changed })).toBe(false);
        expect(await extendsByTransmute(older, newer, changed)).toBe(false);
      }
    }
  });
});
