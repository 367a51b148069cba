import { Frontier } from '../protocol/merkle/frontier.ts';
import { inclusionProof, merkleRoot } from '../protocol/merkle/inclusion.ts';

/** The tail of a log: what a block and those after it hold. */
export interface LogTail {
  /** Log index of the first leaf hash. */
  start: number;
  /** Roots of the maximal perfect subtrees over [0, start), left to right. */
  frontier: readonly Uint8Array[];
  /** Leaf hashes of the entries from `start` to the end of the log. */
  leafHashes: readonly Uint8Array[];
}

/**
 * The RFC 6962 audit path of a leaf of the tail, in the tree over the whole log. What lies before the tail enters by its
 * frontier: a left sibling of the path is one of its roots, or is made of its last ones and the first leaves of the tail.
 */
export function proveInclusion(tail: LogTail, index: number): Uint8Array[] {
  const { start, frontier, leafHashes } = tail;
  const perfect = rangesOf(start).map((range, position) => ({ ...range, root: frontier[position] }));
  return inclusionProof({
    index,
    size: start + leafHashes.length,
    subtreeRoot(from, to) {
      if (from >= start) return merkleRoot(leafHashes.slice(from - start, to - start));
      const roots = perfect.flatMap(({ from: a, to: b, root }) =>
        a >= from && b <= to && root !== undefined ? [root] : [],
      );
      const tree = new Frontier(Math.min(to, start) - from, roots);
      for (const leafHash of leafHashes.slice(0, Math.max(0, to - start))) tree.append(leafHash);
      return tree.root();
    },
  });
}

/** The ranges of the maximal perfect subtrees over [0, size), left to right. */
function rangesOf(size: number): { from: number; to: number }[] {
  const ranges: { from: number; to: number }[] = [];
  let from = 0;
  while (from < size) {
    let width = 1;
    while (from + width * 2 <= size) width *= 2;
    ranges.push({ from, to: from + width });
    from += width;
  }
  return ranges;
}
