import { hashNode } from './hashes.ts';
import { Frontier } from './frontier.ts';

/** RFC 6962 Merkle tree hash over `leafHashes`. */
export function merkleRoot(leafHashes: readonly Uint8Array[]): Uint8Array {
  const frontier = new Frontier();
  for (const leafHash of leafHashes) frontier.append(leafHash);
  return frontier.root();
}

/** The largest power of two below `size` (RFC 6962 §2.1: k < n ≤ 2k). */
export function splitPoint(size: number): number {
  let k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}

/** Gives the root of the subtree over leaves [start, end), or the promise of it. */
export type SubtreeRoot<Root> = (start: number, end: number) => Root;

/**
 * RFC 6962 §2.1.1: the audit path of leaf `index` in the tree of `size` leaves, from the leaf upwards.
 * @param subtreeRoot where the roots of subtrees come from; it is asked only for whole left or right halves.
 */
export function inclusionProof<Root>(options: { index: number; size: number; subtreeRoot: SubtreeRoot<Root> }): Root[] {
  const { index, size, subtreeRoot } = options;
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw new RangeError(`no leaf ${index} in a tree of ${size}`);
  }
  const path: Root[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + splitPoint(end - start);
    if (index < middle) {
      path.push(subtreeRoot(middle, end));
      end = middle;
    } else {
      path.push(subtreeRoot(start, middle));
      start = middle;
    }
  }
  return path.reverse();
}

/** The audit path of leaf `index` among `leafHashes`, all of which are at hand. */
export function inclusionProofOf(leafHashes: readonly Uint8Array[], index: number): Uint8Array[] {
  return inclusionProof({
    index,
    size: leafHashes.length,
    subtreeRoot: (start, end) => merkleRoot(leafHashes.slice(start, end)),
  });
}

/** A leaf, where it is said to stand, and its audit path. */
export interface LeafWithPath {
  leafHash: Uint8Array;
  index: number;
  /** Number of leaves of the tree. */
  size: number;
  /** From the leaf upwards. */
  path: readonly Uint8Array[];
}

/**
 * RFC 9162 §2.1.3.2: the root that the path leads to; undefined if no tree of `size` leaves has such a path for `index`.
 */
export function rootOfPath({ leafHash, index, size, path }: LeafWithPath): Uint8Array | undefined {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return undefined;
  if (leafHash.length !== 32) return undefined;
  let node = index;
  let lastNode = size - 1;
  let hash = leafHash;
  for (const sibling of path) {
    if (lastNode === 0 || sibling.length !== 32) return undefined;
    if (node % 2 === 1 || node === lastNode) {
      hash = hashNode(sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node = Math.floor(node / 2);
        lastNode = Math.floor(lastNode / 2);
      }
    } else {
      hash = hashNode(hash, sibling);
    }
    node = Math.floor(node / 2);
    lastNode = Math.floor(lastNode / 2);
  }
  return lastNode === 0 ? hash : undefined;
}

/** Whether the path leads from the leaf to `root`. */
export function verifyInclusion(claim: LeafWithPath & { root: Uint8Array }): boolean {
  const root = rootOfPath(claim);
  return root !== undefined && Buffer.compare(root, claim.root) === 0;
}
