import { createHash } from 'node:crypto';

/** SHA-256 of the concatenation of `parts`. */
export function sha256(...parts: Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/**
 * The trees of RFC 6962 §2.1 over the first entries of a list, by their recursive definition: nothing of the code under
 * test. Subtrees are hashed once.
 */
export class DefinedTree {
  readonly #entries: readonly Uint8Array[];
  readonly #hashes = new Map<string, Buffer>();

  constructor(entries: readonly Uint8Array[]) {
    this.#entries = entries;
  }

  /** §2.1: MTH(D[from:to]). */
  hash(from = 0, to = this.#entries.length): Buffer {
    const known = this.#hashes.get(`${from}:${to}`);
    if (known !== undefined) return known;
    const [only = Buffer.alloc(0)] = this.#entries.slice(from, to);
    const middle = from + split(to - from);
    const hash =
      to - from === 1
        ? sha256(Buffer.from([0]), only)
        : sha256(Buffer.from([1]), this.hash(from, middle), this.hash(middle, to));
    this.#hashes.set(`${from}:${to}`, hash);
    return hash;
  }

  /** §2.1.1: PATH(index, D[from:to]), with the index counted from 0, not from `from`. */
  path(index: number, from = 0, to = this.#entries.length): Buffer[] {
    if (to - from === 1) return [];
    const middle = from + split(to - from);
    return index < middle
      ? [...this.path(index, from, middle), this.hash(middle, to)]
      : [...this.path(index, middle, to), this.hash(from, middle)];
  }

  /** §2.1.2: SUBPROOF(m, D[from:to], isOlderTree), with m counted from 0, not from `from`. */
  subproof(m: number, from: number, to: number, isOlderTree = true): Buffer[] {
    if (m === to) return isOlderTree ? [] : [this.hash(from, to)];
    const middle = from + split(to - from);
    return m <= middle
      ? [...this.subproof(m, from, middle, isOlderTree), this.hash(middle, to)]
      : [...this.subproof(m, middle, to, false), this.hash(from, middle)];
  }
}

/** The largest power of two below `size`. */
function split(size: number): number {
  return 2 ** Math.ceil(Math.log2(size) - 1);
}
