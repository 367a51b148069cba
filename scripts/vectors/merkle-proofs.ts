import { concat, keccak256, toHex, type Hex } from 'viem';
import { DefinedTree } from './rfc6962.ts';

/** Every proof of every tree up to this size. */
const largestSize = 130;

/** What vectors.json says of the proofs of small trees: one hash for all proofs of a size, to keep the file small. */
export interface MerkleProofVectors {
  /** What the leaves are. */
  leaves: string;
  /** Root of the tree of each size, from 1. */
  roots: Hex[];
  /** For each size: keccak256 of the inclusion proofs of index 0, 1, …, all their hashes one after another. */
  inclusionDigests: Hex[];
  /** For each size: keccak256 of the consistency proofs from size 1, 2, … to this one, all their hashes one after another. */
  consistencyDigests: Hex[];
}

function entryOf(index: number): Buffer {
  const entry = Buffer.alloc(8);
  entry.writeBigUInt64BE(BigInt(index));
  return entry;
}

const digestOf = (proofs: Buffer[][]): Hex => keccak256(concat(proofs.flat().map((hash) => toHex(hash))));

/** Roots, and digests over all inclusion and all consistency proofs, of the trees of 1 … 130 leaves. */
export function merkleProofVectors(): MerkleProofVectors {
  const sizes = Array.from({ length: largestSize }, (_, n) => n + 1);
  const tree = new DefinedTree(sizes.map((size) => entryOf(size - 1)));
  const upTo = (size: number): number[] => sizes.slice(0, size);
  return {
    leaves: 'entry i = i as 8 bytes, big-endian',
    roots: sizes.map((size) => toHex(tree.hash(0, size))),
    inclusionDigests: sizes.map((size) => digestOf(upTo(size).map((n) => tree.path(n - 1, 0, size)))),
    consistencyDigests: sizes.map((size) => digestOf(upTo(size).map((older) => tree.subproof(older, 0, size)))),
  };
}
