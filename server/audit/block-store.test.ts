import { mkdir, mkdtemp, open, readdir, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cidOfBlock } from '../../protocol/log/batch-block.ts';
import { createBlockStore } from './block-store.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-blocks-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const bytes = Uint8Array.from([0xa0]);

describe('a block store', () => {
  it('returns what was put, under its CID, and leaves nothing else behind', async () => {
    const store = createBlockStore(join(folder, 'blocks'));
    expect(await store.get(cidOfBlock(bytes))).toBeUndefined();
    const cid = await store.put(bytes);
    expect((await store.put(bytes)).toString()).toBe(cid.toString());
    expect(Uint8Array.from((await store.get(cid)) ?? [])).toEqual(bytes);
    expect(await readdir(join(folder, 'blocks'))).toEqual([cid.toString()]);
  });

  it('has synced a block, its name, and that of a new folder once it is put', async () => {
    const handle = await open(folder, 'r');
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    const synced: number[] = [];
    const sync = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
      synced.push((await this.stat()).ino);
    });
    try {
      const cid = await createBlockStore(join(folder, 'blocks')).put(bytes);
      const paths = [join('blocks', cid.toString()), 'blocks', ''];
      expect(synced).toEqual(await Promise.all(paths.map(async (path) => (await stat(join(folder, path))).ino)));
    } finally {
      sync.mockRestore();
    }
  });

  it('refuses a file that does not have the CID of its name', async () => {
    const store = createBlockStore(folder);
    const cid = await store.put(bytes);
    await writeFile(join(folder, cid.toString()), 'other bytes');
    await expect(store.get(cid)).rejects.toMatchObject({ code: 'verification_failed' });
  });

  it('removes what a process left that died while it wrote', async () => {
    const cid = cidOfBlock(bytes).toString();
    await writeFile(join(folder, `.${cid}.0f8fad5b-d9cb-469f-a165-70867728950e.tmp`), 'half');
    await createBlockStore(folder).put(bytes);
    expect(await readdir(folder)).toEqual([cid]);
  });

  it('leaves no temporary file when a block cannot be stored', async () => {
    const store = createBlockStore(folder);
    const cid = cidOfBlock(bytes).toString();
    await mkdir(join(folder, cid));
    await writeFile(join(folder, cid, 'in-the-way'), '');
    await expect(store.put(bytes)).rejects.toThrow();
    expect(await readdir(folder)).toEqual([cid]);
  });
});
