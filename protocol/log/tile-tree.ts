import { AutoPayError } from '../errors/auto-pay-error.ts';
import { consistencyProof } from '../merkle/consistency.ts';
import { emptyRoot, hashNode } from '../merkle/hashes.ts';
import { inclusionProof } from '../merkle/inclusion.ts';
import { tileHeight, tileWidth, widthIn, type Tile } from './tile-path.ts';

/** An RFC 6962 tree whose hashes are in tiles. All of it asks for full tiles, and for partial ones at the right edge. */
export interface TileTree {
  /** Root of the subtree over the leaves [start, end), as proofs name them: `start` is a multiple of its width's power of two. */
  subtreeRoot(start: number, end: number): Promise<Uint8Array>;
  /**
   * RFC 6962 §2.1.1: the path of a leaf, from the leaf upwards.
   * @throws RangeError unless 0 ≤ index < size
   */
  inclusionProof(index: number): Promise<Uint8Array[]>;
  /**
   * RFC 9162 §2.1.4.1: the proof that the tree begins with the leaves of a smaller one.
   * @throws RangeError unless 0 < olderSize ≤ size
   */
  consistencyProof(olderSize: number): Promise<Uint8Array[]>;
}

/** Reads the hashes of a tile, `width` times 32 bytes. */
export type ReadTile = (tile: Tile) => Promise<Uint8Array>;

const hashBytes = 32;

/** The most tiles that a tree remembers: enough for any proof, and for some that are near each other. */
const maxRemembered = 64;

/**
 * Makes a tree of tiles, wherever they come from. It does not believe its source in one thing only: the number of bytes. What the
 * proofs lead to has to be compared with a signed root.
 *
 * @param options.size number of leaves
 */
export function createTileTree({ size, readTile }: { size: number; readTile: ReadTile }): TileTree {
  const remembered = new Map<string, Promise<TileNodes>>();

  function nodesOf(level: number, index: number): Promise<TileNodes> {
    const key = `${level}/${index}`;
    const known = remembered.get(key);
    if (known) return known;
    const tile = { level, index, width: widthIn(size, { level, index }) };
    const nodes = readTile(tile).then((bytes) => nodesOfTile(tile, bytes));
    if (remembered.size === maxRemembered) remembered.delete(remembered.keys().next().value ?? '');
    remembered.set(key, nodes);
    // What could not be read is asked for again.
    nodes.catch(() => remembered.delete(key));
    return nodes;
  }

  /** Of 2^height leaves, the index-th such. */
  async function perfectRoot(height: number, index: number): Promise<Uint8Array> {
    const level = Math.floor(height / tileHeight);
    const inTile = height % tileHeight;
    const perTile = tileWidth / 2 ** inTile;
    const nodes = await nodesOf(level, Math.floor(index / perTile));
    return nodes(inTile, index % perTile);
  }

  async function subtreeRoot(start: number, end: number): Promise<Uint8Array> {
    if (end > size) throw new RangeError(`a tree of ${size} leaves has no leaf ${end - 1}`);
    const parts: Promise<Uint8Array>[] = [];
    for (let from = start; from < end;) {
      const height = heightOfLargest(end - from);
      if (from % 2 ** height !== 0) throw new RangeError(`leaves ${start} to ${end} are no subtree`);
      parts.push(perfectRoot(height, from / 2 ** height));
      from += 2 ** height;
    }
    const roots = await Promise.all(parts);
    const last = roots.pop();
    return last === undefined ? emptyRoot : roots.reduceRight((right, left) => hashNode(left, right), last);
  }

  return {
    subtreeRoot,
    inclusionProof: async (index) => Promise.all(inclusionProof({ index, size, subtreeRoot })),
    consistencyProof: async (olderSize) => Promise.all(consistencyProof({ olderSize, newerSize: size, subtreeRoot })),
  };
}

/** The nodes of a tile by their height above its hashes. */
type TileNodes = (height: number, index: number) => Uint8Array;

function nodesOfTile({ level, index, width }: Tile, bytes: Uint8Array): TileNodes {
  if (bytes.length !== width * hashBytes) {
    throw new AutoPayError(
      'verification_failed',
      `Tile ${index} of level ${level} has ${bytes.length} bytes, not the ${width * hashBytes} of ${width} hashes.`,
    );
  }
  const rows = [hashesOfTile(bytes)];
  for (let row = rows[0]; row !== undefined && row.length > 1; row = rows.at(-1)) rows.push(parentsOf(row));
  return (height, at) => {
    const node = rows[height]?.[at];
    if (node) return node;
    throw new RangeError(`tile ${index} of level ${level} with ${width} hashes has no node ${at} at height ${height}`);
  };
}

/** The hashes of a tile, which may be partial. */
export function hashesOfTile(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: bytes.length / hashBytes }, (_, at) =>
    bytes.subarray(at * hashBytes, (at + 1) * hashBytes),
  );
}

/** The root of a full tile: its hash in the level above. */
export function rootOfTile(bytes: Uint8Array): Uint8Array {
  let row = hashesOfTile(bytes);
  while (row.length > 1) row = parentsOf(row);
  return row[0] ?? emptyRoot;
}

/** The row above; a last node without a sibling has no parent in it. */
function parentsOf(row: readonly Uint8Array[]): Uint8Array[] {
  const parents: Uint8Array[] = [];
  for (let at = 0; at + 1 < row.length; at += 2) {
    const [left, right] = [row[at], row[at + 1]];
    if (left && right) parents.push(hashNode(left, right));
  }
  return parents;
}

function heightOfLargest(width: number): number {
  let height = 0;
  while (2 ** (height + 1) <= width) height += 1;
  return height;
}
