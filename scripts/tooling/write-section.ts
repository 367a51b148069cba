import { readFile, writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';

/**
 * Writes what a command found out into a Markdown file, between `<!-- name:begin -->` and `<!-- name:end -->`.
 *
 * @param parts paragraphs, tables or lists; blank lines go between them
 * @throws Error if the file lacks the markers
 */
export async function writeSection(file: string, name: string, parts: readonly string[]): Promise<void> {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const [before, rest] = (await readFile(file, 'utf8')).split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`${file} lacks ${begin} … ${end}`);
  const text = [before + begin, ...parts, end + after].join('\n\n');
  await writeFile(file, await format(text, { ...(await resolveConfig(file)), parser: 'markdown' }));
}
