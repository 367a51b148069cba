import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { appendLine } from './append-line.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopay-lines-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('creates the file for its owner alone, and keeps the lines of many writers apart', async () => {
  const file = join(folder, 'new', 'lines');
  await Promise.all(Array.from({ length: 20 }, (_, index) => appendLine(file, `line ${index} ${'x'.repeat(5_000)}`)));
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  expect(lines.map((line) => line.length).every((length) => length > 5_000 && length < 5_010)).toBe(true);
  expect([lines.length, (await stat(file)).mode & 0o777]).toEqual([20, 0o600]);
});

it('ends a line that a crash cut short', async () => {
  const file = join(folder, 'lines');
  await writeFile(file, 'whole\ncut sho');
  await appendLine(file, 'next');
  await appendLine(file, 'last');
  expect(await readFile(file, 'utf8')).toBe('whole\ncut sho\nnext\nlast\n');
});
