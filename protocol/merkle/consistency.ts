import { hashNode } from './hashes.ts';
import { splitPoint, type SubtreeRoot } from './inclusion.ts';

/**
 * RFC 9162 §2.1.4.1: the proof that a tree of `newerSize` leaves begins with the leaves of one of `olderSize`; empty where
 * both sizes are equal.
 * @param subtreeRoot where the roots of subtrees of the newer tree come from; it is asked only for whole halves.
 * @throws RangeError unless 0 < olderSize ≤ newerSize.
 */
export function consistencyProof<Root>(options: {
  olderSize: number;
  newerSize: number;
  subtreeRoot: SubtreeRoot<Root>;
}): Root[] {
  const { olderSize, newerSize, subtreeRoot } = options;
  if (!Number.isSafeInteger(olderSize) || olderSize < 1 || olderSize > newerSize) {
    throw new RangeError(`no tree of ${newerSize} leaves begins with one of ${olderSize}`);
  }
  const proof: Root[] = [];
  let start = 0;
  let end = newerSize;
  while (end !== olderSize) {
    const middle = start + splitPoint(end - start);
    if (olderSize <= middle) {
      proof.push(subtreeRoot(middle, end));
      end = middle;
    } else {
      proof.push(subtreeRoot(start, middle));
      start = middle;
    }
  }
  // The verifier knows the root of a subtree that starts at 0: it is the older root.
  if (start !== 0) proof.push(subtreeRoot(start, end));
  return proof.reverse();
}

/** Two trees, and what is said to prove that the newer one begins with the older one's leaves. */
export interface ConsistencyClaim {
  olderRoot: Uint8Array;
  /** Number of leaves. */
  olderSize: number;
  newerRoot: Uint8Array;
  /** Number of leaves. */
  newerSize: number;
  /** In the order of RFC 9162 §2.1.4.1. */
  proof: readonly Uint8Array[];
}

/** RFC 9162 §2.1.4.2: whether the proof leads to both roots. Nothing is proven from an empty tree. */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { olderRoot, olderSize, newerRoot, newerSize, proof } = claim;
  if (!Number.isSafeInteger(olderSize) || !Number.isSafeInteger(newerSize)) return false;
  if (olderSize < 1 || olderSize > newerSize) return false;
  if ([olderRoot, newerRoot, ...proof].some((hash) => hash.length !== 32)) return false;
  if (olderSize === newerSize) return proof.length === 0 && Buffer.compare(olderRoot, newerRoot) === 0;

  // Up to the largest perfect subtree that ends the older tree: its root is what both roots are computed from.
  const edge = { node: olderSize - 1, last: newerSize - 1 };
  while (edge.node % 2 === 1) climb(edge);
  // If that subtree is the whole older tree, its root is not in the proof.
  const [seed, ...siblings] = edge.node === 0 ? [olderRoot, ...proof] : proof;
  if (seed === undefined) return false;
  let older = seed;
  let newer = seed;
  for (const sibling of siblings) {
    if (edge.last === 0) return false;
    if (edge.node % 2 === 1 || edge.node === edge.last) {
      older = hashNode(sibling, older);
      newer = hashNode(sibling, newer);
      while (edge.node % 2 === 0 && edge.node !== 0) climb(edge);
    } else {
      newer = hashNode(newer, sibling);
    }
    climb(edge);
  }
  return edge.last === 0 && Buffer.compare(older, olderRoot) === 0 && Buffer.compare(newer, newerRoot) === 0;
}

/** One level up, by division: sizes may have 53 bits, and the bit operators know 32. */
function climb(edge: { node: number; last: number }): void {
  edge.node = Math.floor(edge.node / 2);
  edge.last = Math.floor(edge.last / 2);
}
