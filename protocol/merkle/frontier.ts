import { emptyRoot, hashNode } from './hashes.ts';

/**
 * A growing RFC 6962 tree that keeps only what appending needs: the roots of the maximal perfect subtrees, left to
 * right (one for each 1-bit of the size). 64 hashes are the most that it can ever hold.
 */
export class Frontier {
  #size: number;
  readonly #roots: Uint8Array[];

  /**
   * @param size number of leaves so far.
   * @param roots the roots of the maximal perfect subtrees over [0, size), left to right.
   */
  constructor(size = 0, roots: readonly Uint8Array[] = []) {
    if (roots.length !== countOnes(size)) {
      throw new RangeError(`a frontier of ${size} leaves has ${countOnes(size)} roots, not ${roots.length}`);
    }
    this.#size = size;
    this.#roots = [...roots];
  }

  get size(): number {
    return this.#size;
  }

  /** The roots of the maximal perfect subtrees, left to right. */
  get roots(): readonly Uint8Array[] {
    return this.#roots;
  }

  /** Appends one leaf hash. */
  append(leafHash: Uint8Array): void {
    let carry = leafHash;
    for (let rest = this.#size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      const left = this.#roots.pop();
      if (left === undefined) throw new RangeError('the frontier has too few roots');
      carry = hashNode(left, carry);
    }
    this.#roots.push(carry);
    this.#size += 1;
  }

  /** RFC 6962 Merkle tree hash over all leaves so far. */
  root(): Uint8Array {
    const last = this.#roots.at(-1);
    if (last === undefined) return emptyRoot;
    return this.#roots.slice(0, -1).reduceRight((right, left) => hashNode(left, right), last);
  }

  /** An independent copy. */
  clone(): Frontier {
    return new Frontier(this.#size, this.#roots);
  }
}

function countOnes(size: number): number {
  let ones = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2;
  return ones;
}
