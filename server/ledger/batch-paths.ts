import { hashNode } from '../../protocol/merkle/hashes.ts';

/** A batch's RFC 6962 root with the audit path of each leaf, from the leaf upwards. */
export interface BatchPaths {
  root: Uint8Array;
  paths: readonly (readonly Uint8Array[])[];
}

/**
 * Root and all paths of a batch in one walk (RFC 6962 §2.1 and §2.1.1): n − 1 hashes for n leaves, where asking for each
 * path by itself would hash the tree n times.
 * @param leafHashes at least one.
 */
export function batchPaths(leafHashes: readonly Uint8Array[]): BatchPaths {
  const paths: Uint8Array[][] = leafHashes.map(() => []);

  function walk(start: number, end: number): Uint8Array {
    const only = leafHashes[start];
    if (only === undefined) throw new RangeError('a batch has at least one leaf');
    if (end - start === 1) return only;
    let half = 1;
    while (half * 2 < end - start) half *= 2;
    const left = walk(start, start + half);
    const right = walk(start + half, end);
    for (let leaf = start; leaf < end; leaf += 1) paths[leaf]?.push(leaf < start + half ? right : left);
    return hashNode(left, right);
  }

  return { root: walk(0, leafHashes.length), paths };
}
