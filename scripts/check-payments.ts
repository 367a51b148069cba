/**
 * Holds the table of docs/PAYMENTS.md against the tests: each cell names tests that exist or says "not shown", and each test
 * that is listed is named.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './tooling/run-command.ts';

const faults: string[] = [];
const text = await readFile(join(root, 'docs/PAYMENTS.md'), 'utf8');

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

const [, , ...rows] = text.split('\n').filter((line) => line.startsWith('|'));
for (const row of rows) {
  const [method = '', answer = '', ...cells] = row
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim());
  if (cells.length !== 5) faults.push(`${method}, ${answer}: ${cells.length} cells, not 5`);
  for (const cell of cells) {
    if (!/\[\d+\]/.test(cell) && !cell.includes('not shown'))
      faults.push(`${method}, ${answer}: "${cell}" names no test`);
  }
}
process.stdout.write(
  faults.length > 0
    ? `${faults.join('\n')}\n`
    : `${rows.length} rows of docs/PAYMENTS.md agree with ${listed.size} tests\n`,
);
process.exitCode = faults.length > 0 ? 1 : 0;
