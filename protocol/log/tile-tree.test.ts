import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { consistencyProof, verifyConsistency } from '../merkle/consistency.ts';
import { emptyRoot, hashLeaf, sha256 } from '../merkle/hashes.ts';
import { inclusionProof, inclusionProofOf, merkleRoot, verifyInclusion } from '../merkle/inclusion.ts';
import { tileWidth, widthIn, type Tile } from './tile-path.ts';
import { createTileTree, hashesOfTile, rootOfTile } from './tile-tree.ts';

/** Past the first full tile of level 1. */
const largest = 65_536 + 700;
let leafHashes: Uint8Array[];
beforeAll(() => {
  leafHashes = Array.from({ length: largest }, (_, index) => hashLeaf(Buffer.from(String(index))));
});

/** Tiles by their definition: the roots of 256^level leaves each, computed from the leaves. */
const roots = new Map<string, Uint8Array>();
function rootAt(level: number, index: number): Uint8Array {
  const leaf = level === 0 ? leafHashes[index] : undefined;
  if (leaf) return leaf;
  const key = `${level}/${index}`;
  const width = tileWidth ** level;
  const root = roots.get(key) ?? merkleRoot(leafHashes.slice(index * width, (index + 1) * width));
  roots.set(key, root);
  return root;
}

/** The same of any subtree, remembered: the proofs of 130 trees name the same few hundred thousands of times. */
const subtrees = new Map<string, Uint8Array>();
function subtreeRoot(start: number, end: number): Uint8Array {
  const root = subtrees.get(`${start}:${end}`) ?? merkleRoot(leafHashes.slice(start, end));
  subtrees.set(`${start}:${end}`, root);
  return root;
}

async function readTile({ level, index, width }: Tile): Promise<Uint8Array> {
  return Buffer.concat(Array.from({ length: width }, (_, at) => rootAt(level, index * tileWidth + at)));
}

const treeOf = (size: number) => createTileTree({ size, readTile });

describe('a tree of tiles', () => {
  it('has the proofs that all leaves lead to, for each index and size to 130', async () => {
    for (let size = 1; size <= 130; size += 1) {
      const tree = treeOf(size);
      expect(await tree.subtreeRoot(0, size)).toEqual(subtreeRoot(0, size));
      for (let index = 0; index < size; index += 1) {
        const path = inclusionProof({ index, size, subtreeRoot });
        expect(await tree.inclusionProof(index), `${index} of ${size}`).toEqual(path);
        const older = index + 1;
        const expected = consistencyProof({ olderSize: older, newerSize: size, subtreeRoot });
        expect(await tree.consistencyProof(older), `${older} to ${size}`).toEqual(expected);
      }
    }
  });

  it('has proofs that hold around and beyond full tiles', async () => {
    const borders = [255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 65_792, largest];
    const sizes = fc.oneof(fc.constantFrom(...borders), fc.integer({ min: 1, max: largest }));
    const rootOf = (size: number) => treeOf(size).subtreeRoot(0, size);
    await fc.assert(
      fc.asyncProperty(sizes, sizes, fc.nat(), async (a, b, place) => {
        const [olderSize, newerSize] = [Math.min(a, b), Math.max(a, b)];
        const index = place % newerSize;
        const tree = treeOf(newerSize);
        const [olderRoot, newerRoot] = [await rootOf(olderSize), await rootOf(newerSize)];
        const path = await tree.inclusionProof(index);
        const leafHash = leafHashes[index] ?? expect.fail();
        expect(verifyInclusion({ leafHash, index, size: newerSize, path, root: newerRoot })).toBe(true);
        const proof = await tree.consistencyProof(olderSize);
        expect(verifyConsistency({ olderRoot, olderSize, newerRoot, newerSize, proof })).toBe(true);
      }),
      { numRuns: 60 },
    );
    for (const size of [257, 65_537]) expect(await rootOf(size)).toEqual(merkleRoot(leafHashes.slice(0, size)));
  });

  it('asks for what a tree of its size has, and for each tile once', async () => {
    const size = 65_536 + 300;
    const asked: Tile[] = [];
    const tree = createTileTree({
      size,
      readTile: (tile) => {
        asked.push(tile);
        return readTile(tile);
      },
    });
    await Promise.all([tree.inclusionProof(7), tree.inclusionProof(7), tree.inclusionProof(8)]);
    await tree.consistencyProof(300);
    for (const tile of asked) expect(tile.width).toBe(widthIn(size, tile));
    const names = asked.map(({ level, index }) => `${level}/${index}`);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeLessThan(8);
  });

  it('reads a tile again that could not be read', async () => {
    let fails = true;
    const tree = createTileTree({
      size: 3,
      readTile: (tile) => (fails ? Promise.reject(new Error('unplugged')) : readTile(tile)),
    });
    await expect(tree.inclusionProof(1)).rejects.toThrow('unplugged');
    fails = false;
    expect(await tree.inclusionProof(1)).toEqual(inclusionProofOf(leafHashes.slice(0, 3), 1));
  });

  it('refuses a tile of another width, and what no tree of its size has', async () => {
    const short = createTileTree({ size: 3, readTile: (tile) => readTile({ ...tile, width: 2 }) });
    await expect(short.inclusionProof(0)).rejects.toThrow('has 64 bytes, not the 96 of 3 hashes');
    await expect(treeOf(3).inclusionProof(3)).rejects.toThrow(RangeError);
    await expect(treeOf(3).consistencyProof(4)).rejects.toThrow(RangeError);
    await expect(treeOf(3).consistencyProof(0)).rejects.toThrow(RangeError);
    await expect(treeOf(3).subtreeRoot(0, 4)).rejects.toThrow('has no leaf 3');
    await expect(treeOf(3).subtreeRoot(1, 3)).rejects.toThrow('are no subtree');
    expect(await treeOf(0).subtreeRoot(0, 0)).toEqual(emptyRoot);
  });

  it('has as a full tile’s root its hash in the level above', async () => {
    const tile = await readTile({ level: 0, index: 1, width: 256 });
    expect(rootOfTile(tile)).toEqual(rootAt(1, 1));
    expect(hashesOfTile(tile)).toHaveLength(256);
    expect(sha256(...hashesOfTile(tile))).toEqual(sha256(tile));
  });
});
