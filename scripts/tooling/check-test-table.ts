import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './run-command.ts';

/** A document whose table names tests. */
export interface TestTable {
  /** Path from the root. */
  file: string;
  /** Columns that say what a row is about; each of the others names a test, or says "not shown". */
  headings: number;
  /** The columns after them. */
  cells: number;
}

/** What a table was found to be. */
export interface CheckedTable {
  /** The columns of each row. */
  rows: readonly (readonly string[])[];
  tests: number;
  /** In words; empty if every test exists and is named. */
  faults: string[];
}

/**
 * Holds the table of a document against the tests: each cell names tests (`[3]`) of the numbered list below it, which exist, or says
 * "not shown"; each test that is listed is named.
 */
export async function checkTestTable({ cells: count, file: document, headings }: TestTable): Promise<CheckedTable> {
  const faults: string[] = [];
  const text = await readFile(join(root, document), 'utf8');
  const listed = new Set<string>();
  for (const [, number = '', file = '', name = ''] of text.matchAll(/^(\d+)\. `([^`]+)`: (.+)$/gm)) {
    listed.add(number);
    const path = join(root, file);
    if (!existsSync(path)) {
      faults.push(`[${number}]: there is no ${file}`);
      continue;
    }
    // Prettier puts long names on a line of their own.
    const source = (await readFile(path, 'utf8')).replaceAll(/\(\s+'/g, "('");
    if (!source.includes(`('${name}'`)) faults.push(`[${number}]: ${file} has no test '${name}'`);
  }
  if (listed.size === 0) faults.push('no test is listed');

  const named = new Set([...text.matchAll(/\[(\d+)\]/g)].map((match) => match[1] ?? ''));
  for (const number of named) if (!listed.has(number)) faults.push(`[${number}] is not listed`);
  for (const number of listed) if (!named.has(number)) faults.push(`[${number}] is listed, and named nowhere`);

  const [, , ...lines] = text.split('\n').filter((line) => line.startsWith('|'));
  const rows = lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
  for (const row of rows) {
    const what = row.slice(0, headings).join(', ');
    const cells = row.slice(headings);
    if (cells.length !== count) faults.push(`${what}: ${cells.length} cells, not ${count}`);
    for (const cell of cells) {
      if (!/\[\d+\]/.test(cell) && !cell.includes('not shown')) faults.push(`${what}: "${cell}" names no test`);
    }
  }
  return { rows, tests: listed.size, faults };
}

/** Says what was found, and sets the exit code. */
export function reportTestTable(document: string, { faults, rows, tests }: CheckedTable): void {
  process.stdout.write(
    faults.length > 0 ? `${faults.join('\n')}\n` : `${rows.length} rows of ${document} agree with ${tests} tests\n`,
  );
  process.exitCode = faults.length > 0 ? 1 : 0;
}
