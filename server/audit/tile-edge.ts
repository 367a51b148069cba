import { tileWidth } from '../../protocol/log/tile-path.ts';
import { rootOfTile } from '../../protocol/log/tile-tree.ts';
import { Frontier } from '../../protocol/merkle/frontier.ts';
import type { FullTile } from './tile-store.ts';

/** A tile that has become full. */
export interface CompletedTile {
  tile: FullTile;
  bytes: Uint8Array;
}

/**
 * The right edge of a growing tree: the tiles that are not full yet, one of each level. It is all that appending needs; 255 hashes
 * of each level are the most that it holds.
 */
export class TileEdge {
  #size: number;
  readonly #levels: Uint8Array[][];

  /**
   * @param size number of leaves so far
   * @param levels the hashes of the partial tile of each level, from level 0
   */
  constructor(size = 0, levels: readonly (readonly Uint8Array[])[] = []) {
    levels.forEach((hashes, level) => {
      const expected = Math.floor(size / tileWidth ** level) % tileWidth;
      if (hashes.length !== expected)
        throw new RangeError(`level ${level} has ${hashes.length} hashes, not ${expected}`);
    });
    if (size >= tileWidth ** levels.length)
      throw new RangeError(`a tree of ${size} has more than ${levels.length} levels`);
    this.#size = size;
    this.#levels = levels.map((hashes) => [...hashes]);
  }

  get size(): number {
    return this.#size;
  }

  /** The hashes of a level that are in no full tile yet. */
  hashesOf(level: number): readonly Uint8Array[] {
    return this.#levels[level] ?? [];
  }

  /** RFC 6962 root over all leaves so far. */
  root(): Uint8Array {
    // A subtree of a level's hashes is one of the whole tree: the larger ones, to the left, are of higher levels.
    const roots = this.#levels.toReversed().flatMap((hashes) => {
      const own = new Frontier();
      for (const hash of hashes) own.append(hash);
      return own.roots;
    });
    return new Frontier(this.#size, roots).root();
  }

  /** Appends one leaf hash. @returns the tiles that it completes, from level 0 upwards */
  append(leafHash: Uint8Array): CompletedTile[] {
    this.#size += 1;
    const completed: CompletedTile[] = [];
    let carry = leafHash;
    for (let level = 0; ; level += 1) {
      const hashes = (this.#levels[level] ??= []);
      hashes.push(carry);
      if (hashes.length < tileWidth) return completed;
      const bytes = Buffer.concat(hashes);
      completed.push({ tile: { level, index: this.#size / tileWidth ** (level + 1) - 1 }, bytes });
      this.#levels[level] = [];
      carry = rootOfTile(bytes);
    }
  }
}
