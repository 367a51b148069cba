import { mkdtemp, open, readdir, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTileStore } from './tile-store.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-tiles-'));
});
afterEach(() => rm(folder, { recursive: true }));

const tileOf = (index: number, level = 0) => ({ tile: { level, index }, bytes: Buffer.alloc(8_192, index) });

describe('a tile store', () => {
  it('keeps tiles under their paths, and nothing else', async () => {
    const store = createTileStore(join(folder, 'log'));
    expect(await store.get({ level: 0, index: 0 })).toBeUndefined();
    await store.put([]);
    await store.put([tileOf(0), tileOf(1), tileOf(1_234_067), tileOf(0, 1)]);
    await store.put([{ ...tileOf(0), bytes: Buffer.alloc(8_192, 9) }]);
    const names = await readdir(join(folder, 'log'), { recursive: true, withFileTypes: true });
    const files = names.filter((name) => name.isFile()).map((file) => join(file.parentPath, file.name));
    const expected = ['0/000', '0/001', '0/x001/x234/067', '1/000'].map((name) => join(folder, 'log/tile', name));
    expect(files.toSorted()).toEqual(expected);
    expect(await store.get({ level: 0, index: 0 })).toEqual(Buffer.alloc(8_192, 9));
    expect(await store.get({ level: 0, index: 1_234_067 })).toEqual(tileOf(1_234_067).bytes);
  });

  it('has synced a tile, its name and every folder above it once it is put', async () => {
    const handle = await open(folder, 'r');
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    const synced: number[] = [];
    const sync = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
      synced.push((await this.stat()).ino);
    });
    try {
      await createTileStore(join(folder, 'log')).put([tileOf(1_000)]);
      const paths = ['tile/0/x001/000', '', 'tile', 'tile/0', 'tile/0/x001'];
      const inodes = await Promise.all(paths.map(async (path) => (await stat(join(folder, 'log', path))).ino));
      expect(synced[0]).toBe(inodes[0]);
      expect(new Set(synced)).toEqual(new Set([...inodes, (await stat(folder)).ino]));
    } finally {
      sync.mockRestore();
    }
  });

  it('removes what a process left that died while it wrote', async () => {
    const store = createTileStore(folder);
    await store.put([tileOf(0)]);
    await writeFile(join(folder, 'tile/0/001.0f8fad5b-d9cb-469f-a165-70867728950e.tmp'), 'half');
    await createTileStore(folder).put([tileOf(1)]);
    expect((await readdir(join(folder, 'tile/0'))).toSorted()).toEqual(['000', '001']);
  });

  it('fails where a tile cannot be written, and leaves no half of it', async () => {
    const store = createTileStore(folder);
    await writeFile(join(folder, 'tile'), 'in the way');
    await expect(store.put([tileOf(0)])).rejects.toThrow();
    expect(await readdir(folder)).toEqual(['tile']);
  });
});
