import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { readLines, readLinesBackward } from './read-lines.ts';

let file: string;
/** Longer than two parts that are read at a time; letters of several bytes stand across their borders. */
const lines = Array.from({ length: 700 }, (_, i) => `${i} ${'ä€'.repeat(600 + (i % 7))}`);
const text = `${lines.join('\n')}\n`;

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'autopay-lines-'));
  file = join(folder, 'lines');
  await writeFile(file, text);
  return () => rm(folder, { recursive: true, force: true });
});

async function forward(from?: number): Promise<{ lines: string[]; end: number }> {
  const read: string[] = [];
  let end = -1;
  for await (const chunk of readLines(file, from)) {
    read.push(...chunk.lines.filter((line) => line !== ''));
    ({ end } = chunk);
  }
  return { lines: read, end };
}

async function backward(): Promise<string[]> {
  const read: string[] = [];
  for await (const line of readLinesBackward(file)) if (line !== '') read.push(line);
  return read;
}

describe('the lines of a file that is longer than what is read at a time', () => {
  it('are read on from an offset, and the one that is being written is left out', async () => {
    const size = Buffer.byteLength(text);
    expect(await forward()).toEqual({ lines, end: size });
    await appendFile(file, 'begun');
    expect(await forward()).toEqual({ lines, end: size });
    expect(await forward(size)).toEqual({ lines: [], end: size });
    // A file that was replaced by a shorter one is read on from its end.
    expect((await forward(size * 2)).end).toBe(size + 'begun'.length);
    await appendFile(file, ' and ended\n');
    expect((await forward(size)).lines).toEqual(['begun and ended']);
  });

  it('are read from the middle of one, with the next', async () => {
    const ofLastTwo = Buffer.byteLength(`${lines.slice(-2).join('\n')}\n`);
    expect((await forward(-ofLastTwo - 5)).lines).toEqual(lines.slice(-2));
    expect((await forward(-Buffer.byteLength(text) * 2)).lines).toEqual(lines);
  });

  it('are read backward', async () => {
    expect(await backward()).toEqual(lines.toReversed());
    await appendFile(file, 'cut short');
    expect((await backward())[0]).toBe('cut short');
  });
});

it('reads one line that is longer than what is read at a time', async () => {
  const long = 'x'.repeat(3_000_000);
  await writeFile(file, `a\n${long}\nb\n`);
  expect((await forward()).lines).toEqual(['a', long, 'b']);
  expect((await forward(-2_000_000)).lines).toEqual(['b']);
  expect(await backward()).toEqual(['b', long, 'a']);
});

it('has none where there is no file', async () => {
  await rm(file);
  expect(await forward()).toEqual({ lines: [], end: -1 });
  expect(await backward()).toEqual([]);
});
