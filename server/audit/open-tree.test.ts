import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tilePath, tileWidth } from '../../protocol/log/tile-path.ts';
import { createTileTree } from '../../protocol/log/tile-tree.ts';
import { hashLeaf } from '../../protocol/merkle/hashes.ts';
import { inclusionProofOf, merkleRoot } from '../../protocol/merkle/inclusion.ts';
import type { GrowingTree } from './grow-tree.ts';
import { openTree } from './open-tree.ts';
import { createTileStore, type TileStore } from './tile-store.ts';
import { createToyEntries, createToyLog, type ToyEntries } from './toy-log-fixture.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-tree-'));
});
afterEach(() => rm(folder, { recursive: true }));

const fileOf = (level: number, index: number) => join(folder, tilePath({ level, index, width: tileWidth }));
const statementOf = (entries: ToyEntries) => ({
  size: entries.leafHashes.length,
  root: merkleRoot(entries.leafHashes),
});

/** A tree that has taken in all entries, and signed them. */
async function grown(entries: ToyEntries, store: TileStore = createTileStore(folder)): Promise<GrowingTree> {
  const tree = await openTree({ store, ledger: entries, log: createToyLog() }, undefined);
  await tree.grow();
  return tree;
}

function reopen(entries: ToyEntries, signed = statementOf(entries)) {
  const log = createToyLog();
  const tree = openTree({ store: createTileStore(folder), ledger: entries, log }, signed);
  return { log, tree };
}

/** That each leaf has its path, whatever was read before. */
async function expectWhole(tree: GrowingTree, { leafHashes }: ToyEntries): Promise<void> {
  const size = leafHashes.length;
  for (const index of [0, 255, 256, size - 1]) {
    const reader = createTileTree({ size, readTile: (tile) => tree.readTile(tile) });
    expect(await reader.inclusionProof(index)).toEqual(inclusionProofOf(leafHashes, index));
  }
}

describe('the tree of a log', () => {
  it('grows by what the ledger has, in whatever steps', async () => {
    const entries = createToyEntries();
    const tree = await grown(entries);
    expect(tree.size()).toBe(0);
    for (const more of [1, 254, 1, 1, 300, 0, 6_000]) {
      entries.add(more);
      await tree.grow();
      expect(tree.size()).toBe(entries.leafHashes.length);
      expect(tree.root()).toEqual(merkleRoot(entries.leafHashes));
    }
    await expectWhole(tree, entries);
    await expect(stat(fileOf(0, 24))).resolves.toMatchObject({ size: 8_192 });
    await expect(stat(fileOf(0, 25))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('opens at what was signed, and reads the right edge only', async () => {
    const entries = createToyEntries(3_000);
    await grown(entries);
    const signed = statementOf(entries);
    entries.add(500);
    entries.leavesRead = 0;
    const { tree, log } = reopen(entries, signed);
    expect((await tree).root()).toEqual(signed.root);
    expect(entries.leavesRead).toBe(3_000 % 256);
    await (await tree).grow();
    expect((await tree).root()).toEqual(merkleRoot(entries.leafHashes));
    expect(entries.leavesRead).toBe((3_000 % 256) + 500);
    expect(log.said).toEqual([]);
  });

  it('makes a lost folder anew', async () => {
    const entries = createToyEntries(1_000);
    await grown(entries);
    const before = await readFile(fileOf(0, 2));
    await rm(folder, { recursive: true });
    const { tree, log } = reopen(entries);
    await expectWhole(await tree, entries);
    expect(await readFile(fileOf(0, 2))).toEqual(before);
    expect(log.said).toEqual(['warn: tiles of the log were missing or damaged; made them anew from the ledger']);
  });

  it.each([
    ['is cut', (bytes: Buffer) => bytes.subarray(1)],
    [
      'has a flipped bit',
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 700), Buffer.of(1), bytes.subarray(701)]),
    ],
    ['is empty', () => Buffer.alloc(0)],
    ['has other hashes', () => Buffer.alloc(8_192, 7)],
  ])('finds that a tile at the right edge %s when it opens, and mends it', async (_, damage) => {
    const entries = createToyEntries(1_000);
    await grown(entries);
    const whole = await readFile(fileOf(0, 1));
    await writeFile(fileOf(0, 1), damage(whole));
    const { tree, log } = reopen(entries);
    await expectWhole(await tree, entries);
    expect(await readFile(fileOf(0, 1))).toEqual(whole);
    expect(log.said).toHaveLength(1);
  });

  it('finds that a tile deep in the tree is damaged, missing or another when it is read, and mends it', async () => {
    const entries = createToyEntries(65_536 + 256);
    await grown(entries);
    const whole = await readFile(fileOf(0, 1));
    const { tree, log } = reopen(entries);
    await tree;
    await writeFile(fileOf(0, 1), await readFile(fileOf(0, 2)));
    await rm(fileOf(0, 0));
    await writeFile(fileOf(1, 0), 'not a tile');
    await expectWhole(await tree, entries);
    expect(await readFile(fileOf(0, 1))).toEqual(whole);
    const mended = 'warn: made a tile of the log anew from the ledger';
    expect(log.said).toEqual([mended, mended, mended]);
  });

  it('says what is wrong where the ledger does not lead to what was signed either, and keeps the tiles', async () => {
    const entries = createToyEntries(1_000);
    await grown(entries);
    const signed = statementOf(entries);
    const whole = await readFile(fileOf(0, 0));
    const { tree } = reopen(entries, signed);
    await tree;
    entries.leafHashes[5] = hashLeaf(Buffer.from('another'));
    await rm(fileOf(0, 0));
    await expect((await tree).readTile({ level: 0, index: 0, width: 256 })).rejects.toMatchObject({
      code: 'verification_failed',
      message: expect.stringMatching(/^Tile 0 of level 0 is missing.*Run autopay fsck/),
    });
    await writeFile(fileOf(0, 0), whole);
    entries.leafHashes[999] = hashLeaf(Buffer.from('another'));
    await expect(reopen(entries, signed).tree).rejects.toMatchObject({ code: 'log_forked', facts: { size: 1_000 } });
    expect(await readFile(fileOf(0, 0))).toEqual(whole);
  });

  it('refuses a ledger that is shorter than what was signed, and one that becomes shorter', async () => {
    const entries = createToyEntries(300);
    const tree = await grown(entries);
    const signed = statementOf(entries);
    entries.leafHashes.pop();
    const refusal = { code: 'log_rolled_back', facts: { size: 299, signed: 300 } };
    await expect(reopen(entries, signed).tree).rejects.toMatchObject(refusal);
    await expect(tree.grow()).rejects.toMatchObject(refusal);
  });

  it('goes on after a disk that was full: no tile is lost, none is believed to be there', async () => {
    const store = createTileStore(folder);
    let isFull = true;
    const put: TileStore['put'] = (tiles) => (isFull ? Promise.reject(new Error('ENOSPC')) : store.put(tiles));
    const entries = createToyEntries(600);
    const tree = await openTree({ store: { ...store, put }, ledger: entries, log: createToyLog() }, undefined);
    await expect(tree.grow()).rejects.toThrow('ENOSPC');
    await expect(tree.grow()).rejects.toThrow('ENOSPC');
    isFull = false;
    await tree.grow();
    expect(tree.root()).toEqual(merkleRoot(entries.leafHashes));
    const { tree: opened, log } = reopen(entries);
    await expectWhole(await opened, entries);
    expect(log.said).toEqual([]);
  });

  it('stops at a gap in the ledger', async () => {
    const entries = createToyEntries(10);
    const ledger = { ...entries, logSize: () => Promise.resolve(12) };
    const tree = await openTree({ store: createTileStore(folder), ledger, log: createToyLog() }, undefined);
    await expect(tree.grow()).rejects.toThrow('The ledger has no log entry 10. Run autopay fsck.');
  });
});
