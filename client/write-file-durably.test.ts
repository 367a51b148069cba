import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeFileDurably } from './write-file-durably.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-write-'));
  file = join(folder, 'file');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function* piecesOf(...pieces: (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Error) throw piece;
    yield Buffer.from(piece);
  }
}

test('a file is replaced by what it is given at once or in pieces, for its owner alone', async () => {
  for (const content of ['text', Buffer.from('text'), piecesOf('te', '', 'xt')]) {
    await writeFileDurably(file, content);
    expect(await readFile(file, 'utf8')).toBe('text');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  }
  expect(await readdir(folder)).toEqual(['file']);
});

test('where the content breaks off, or cannot be written, the file stays, and nothing else is left', async () => {
  await writeFileDurably(file, 'before');
  await expect(writeFileDurably(file, piecesOf('half', new Error('gone')))).rejects.toThrow('gone');
  await expect(writeFileDurably(join(file, 'x'), 'text')).rejects.toThrow('ENOTDIR');
  expect(await readFile(file, 'utf8')).toBe('before');
  expect(await readdir(folder)).toEqual(['file']);
});
