import { expect, test } from 'vitest';
import { createTileTree } from '../../protocol/log/tile-tree.ts';
import { Frontier } from '../../protocol/merkle/frontier.ts';
import { emptyRoot } from '../../protocol/merkle/hashes.ts';
import { TileEdge, type CompletedTile } from './tile-edge.ts';
import { createToyEntries } from './toy-log-fixture.ts';

test('has the root of all leaves at each size, and completes each tile once', async () => {
  const { leafHashes } = createToyEntries(66_000);
  const edge = new TileEdge();
  const frontier = new Frontier();
  const completed: CompletedTile[] = [];
  expect(edge.root()).toEqual(emptyRoot);
  for (const leaf of leafHashes) {
    completed.push(...edge.append(leaf));
    frontier.append(leaf);
    // All sizes of the first three tiles, and those around where a level is full.
    if (edge.size > 770 && Math.abs(65_536 - edge.size) > 300) continue;
    expect(edge.root(), String(edge.size)).toEqual(frontier.root());
  }
  expect(edge.root()).toEqual(frontier.root());
  expect(completed.map(({ tile }) => `${tile.level}/${tile.index}`)).toHaveLength(257 + 1);
  expect(completed.filter(({ tile }) => tile.level === 1).map(({ tile }) => tile.index)).toEqual([0]);
  const tiles = new Map(completed.map(({ tile, bytes }) => [`${tile.level}/${tile.index}`, bytes]));
  const tree = createTileTree({
    size: 65_536,
    readTile: async ({ level, index }) => tiles.get(`${level}/${index}`) ?? Buffer.concat(edge.hashesOf(level)),
  });
  const at65536 = new Frontier();
  for (const leaf of leafHashes.slice(0, 65_536)) at65536.append(leaf);
  expect(await tree.subtreeRoot(0, 65_536)).toEqual(at65536.root());
});

test('goes on from what it was, and from nothing that no tree has', () => {
  const { leafHashes } = createToyEntries(700);
  const whole = new TileEdge();
  for (const leaf of leafHashes) whole.append(leaf);
  const before = new TileEdge();
  for (const leaf of leafHashes.slice(0, 600)) before.append(leaf);
  const after = new TileEdge(600, [before.hashesOf(0), before.hashesOf(1)]);
  for (const leaf of leafHashes.slice(600)) after.append(leaf);
  expect(after.root()).toEqual(whole.root());
  expect(() => new TileEdge(600, [before.hashesOf(0)])).toThrow('has more than 1 levels');
  expect(() => new TileEdge(601, [before.hashesOf(0), before.hashesOf(1)])).toThrow('level 0 has 88 hashes, not 89');
});
