import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSection } from './write-section.ts';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'autopay-section-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('writeSection', () => {
  it('replaces what stands between the markers, and nothing else', async () => {
    const file = join(folder, 'page.md');
    await writeFile(file, '# Page\n\n<!-- runs:begin -->\n\nold\n\n<!-- runs:end -->\n\nAfter.\n');
    await writeSection(file, 'runs', ['| a | b |\n| --- | --- |\n| 1 | 2 |', 'new']);
    const table = '| a   | b   |\n| --- | --- |\n| 1   | 2   |';
    const expected = `# Page\n\n<!-- runs:begin -->\n\n${table}\n\nnew\n\n<!-- runs:end -->\n\nAfter.\n`;
    expect(await readFile(file, 'utf8')).toBe(expected);
    await writeSection(file, 'runs', ['| a | b |\n| --- | --- |\n| 1 | 2 |', 'new']);
    expect(await readFile(file, 'utf8')).toBe(expected);
  });

  it.each(['# Page\n', '# Page\n<!-- runs:begin -->\n'])('refuses a page without both markers', async (text) => {
    const file = join(folder, 'other.md');
    await writeFile(file, text);
    await expect(writeSection(file, 'runs', ['new'])).rejects.toThrow('lacks <!-- runs:begin -->');
    expect(await readFile(file, 'utf8')).toBe(text);
  });
});
