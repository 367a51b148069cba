import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createFileDurably } from './create-file-durably.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-create-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('of many that create a file at once, one does, and nothing else is left', async () => {
  const file = join(folder, 'wallet.json');
  const texts = Array.from({ length: 20 }, (_, index) => `text ${index}`);
  const created = await Promise.all(texts.map((text) => createFileDurably(file, text)));
  expect(created.filter(Boolean)).toHaveLength(1);
  expect(await readFile(file, 'utf8')).toBe(texts[created.indexOf(true)]);
  expect(await readdir(folder)).toEqual(['wallet.json']);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

it('says what else is wrong', async () => {
  await expect(createFileDurably(join(folder, 'none', 'file'), 'text')).rejects.toMatchObject({ code: 'ENOENT' });
});
