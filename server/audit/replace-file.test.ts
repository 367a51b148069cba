import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createSweeper, replaceFile, sweepLeftOvers } from './replace-file.ts';

test('a reader finds the whole of what was there or of what is, and no other file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'autopay-file-'));
  const file = join(folder, 'checkpoint');
  try {
    const texts = ['a'.repeat(100_000), 'b'.repeat(50_000)];
    await replaceFile(file, texts[0] ?? '');
    let isWriting = true;
    const reads = (async () => {
      while (isWriting) expect(texts).toContain(await readFile(file, 'utf8'));
    })();
    for (let round = 0; round < 20; round += 1) await replaceFile(file, texts[round % 2] ?? '');
    isWriting = false;
    await reads;
    await mkdir(join(folder, 'taken'));
    await expect(replaceFile(join(folder, 'taken'), 'text')).rejects.toThrow();
    expect((await readdir(folder)).toSorted()).toEqual(['checkpoint', 'taken']);
  } finally {
    await rm(folder, { recursive: true });
  }
});

const leftOver = (name: string) => `${name}.0f8fad5b-d9cb-469f-a165-70867728950e.tmp`;

test('what a crash left is swept, and nothing else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'autopay-sweep-'));
  try {
    const kept = ['checkpoint', 'notes.tmp', `${leftOver('x')}.txt`, 'y.0f8fad5b.tmp'];
    for (const name of [...kept, leftOver('checkpoint'), leftOver('.bafy')]) await writeFile(join(folder, name), '');
    await sweepLeftOvers(folder);
    expect((await readdir(folder)).toSorted()).toEqual(kept.toSorted());
    await sweepLeftOvers(join(folder, 'not-there'));
    await expect(sweepLeftOvers(join(folder, 'checkpoint'))).rejects.toThrow('ENOTDIR');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a folder is swept once, before anybody writes to it; what failed is tried again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'autopay-sweep-'));
  try {
    const [place, old] = [join(folder, 'place'), leftOver('old')];
    const sweep = createSweeper();
    await writeFile(place, '');
    await expect(sweep(place)).rejects.toThrow('ENOTDIR');
    await rm(place);
    await mkdir(place);
    await writeFile(join(place, old), '');
    await Promise.all([sweep(place), sweep(place)]);
    expect(await readdir(place)).toEqual([]);
    // What is being written now is not swept.
    await writeFile(join(place, old), '');
    await sweep(place);
    expect(await readdir(place)).toEqual([old]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
