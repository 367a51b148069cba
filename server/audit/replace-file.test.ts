import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { replaceFile } from './replace-file.ts';

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
