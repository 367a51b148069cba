import { Frontier } from '../protocol/merkle/frontier.ts';
import { hashNode } from '../protocol/merkle/hashes.ts';
import { inclusionProof } from '../protocol/merkle/inclusion.ts';

/** The root of a perfect subtree: `width` leaves from `start`, which is a multiple of it. */
interface PerfectNode {
  start: number;
  width: number;
  hash: Uint8Array;
}

/**
 * The right part of an RFC 6962 tree, which grows to the left as a log is read backwards. Of what was read it keeps only the roots of
 * maximal perfect subtrees, two for each doubling, however many leaves there are.
 */
export class TreeTail {
  /** From right to left. */
  readonly #nodes: PerfectNode[] = [];
  #start: number;

  /** @param end number of leaves of the whole tree */
  constructor(end: number) {
    this.#start = end;
  }

  /** The first leaf that it covers. */
  get start(): number {
    return this.#start;
  }

  /** Takes the leaves right before those that it has, in the order of the log. */
  prepend(leafHashes: readonly Uint8Array[]): void {
    for (let at = leafHashes.length - 1; at >= 0; at -= 1) {
      const hash = leafHashes[at];
      if (hash === undefined) continue;
      this.#start -= 1;
      this.#nodes.push({ start: this.#start, width: 1, hash });
      this.#mergeLeftmost();
    }
  }

  /** The parts of [from, to) that it covers, left to right: each is a perfect subtree. */
  within(from: number, to: number): readonly Readonly<PerfectNode>[] {
    return this.#nodes.filter(({ start, width }) => start >= from && start + width <= to).reverse();
  }

  #mergeLeftmost(): void {
    for (;;) {
      const left = this.#nodes.at(-1);
      const right = this.#nodes.at(-2);
      if (!left || !right || left.width !== right.width || left.start % (2 * left.width) !== 0) return;
      this.#nodes.length -= 2;
      this.#nodes.push({ start: left.start, width: 2 * left.width, hash: hashNode(left.hash, right.hash) });
    }
  }
}

/** A leaf's block: all that an audit path needs beside what comes after it. */
export interface LeafBlock {
  /** Log index of its first entry. */
  start: number;
  /** Roots of the maximal perfect subtrees over [0, start), left to right. */
  frontier: readonly Uint8Array[];
  leafHashes: readonly Uint8Array[];
}

/**
 * The RFC 6962 audit path of a leaf, in the tree of `size` leaves. Each sibling is made of roots of the frontier, leaves of the block and
 * roots of the tail: a maximal perfect subtree of either side does not contain the leaf, so none is larger than the sibling that it is
 * part of.
 * @param tail the tree behind the block
 */
export function proveInTail(
  { start, frontier, leafHashes }: LeafBlock,
  tail: TreeTail,
  { index, size }: { index: number; size: number },
): Uint8Array[] {
  const before = rangesOf(start).map(({ from, width }, position) => ({
    ...{ start: from, width },
    hash: frontier[position] ?? new Uint8Array(),
  }));
  const inside = leafHashes.map((hash, position) => ({ start: start + position, width: 1, hash }));
  return inclusionProof({
    index,
    size,
    subtreeRoot(from, to) {
      const parts = [
        ...before.filter((node) => node.start >= from && node.start + node.width <= to),
        ...inside.slice(Math.max(0, from - start), Math.max(0, to - start)),
        ...tail.within(from, to),
      ];
      return rootOfParts(parts, from);
    },
  });
}

/** The root over adjoining perfect subtrees that begin at `from`, a multiple of the whole's width. */
function rootOfParts(parts: readonly Readonly<PerfectNode>[], from: number): Uint8Array {
  const stack: PerfectNode[] = [];
  for (const part of parts) {
    let node: PerfectNode = { ...part, start: part.start - from };
    for (
      let left = stack.at(-1);
      left?.width === node.width && left.start % (2 * node.width) === 0;
      left = stack.at(-1)
    ) {
      stack.pop();
      node = { start: left.start, width: 2 * node.width, hash: hashNode(left.hash, node.hash) };
    }
    stack.push(node);
  }
  const size = stack.reduce((sum, { width }) => sum + width, 0);
  return new Frontier(
    size,
    stack.map(({ hash }) => hash),
  ).root();
}

/** The ranges of the maximal perfect subtrees over [0, size), left to right. */
function rangesOf(size: number): { from: number; width: number }[] {
  const ranges: { from: number; width: number }[] = [];
  let from = 0;
  while (from < size) {
    let width = 1;
    while (from + width * 2 <= size) width *= 2;
    ranges.push({ from, width });
    from += width;
  }
  return ranges;
}
