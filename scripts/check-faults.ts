/**
 * Holds the table of docs/FAULTS.md against the tests: each cell names tests that exist, each test that is listed is named, and the
 * rows are the faults of server/provider-faults.test.ts, all of them.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkTestTable, reportTestTable } from './tooling/check-test-table.ts';
import { root } from './tooling/run-command.ts';

const file = 'docs/FAULTS.md';
const table = await checkTestTable({ file, headings: 2, cells: 2 });

const source = await readFile(join(root, 'server/provider-faults.test.ts'), 'utf8');
const body = source.slice(source.indexOf('const faults:'), source.indexOf('\n};', source.indexOf('const faults:')));
const tested = [...body.matchAll(/^ {2}'([^']+)':/gm)].map((match) => match[1] ?? '');
const told = new Set(table.rows.map(([fault = '']) => fault));
const faults = [...table.faults];
for (const name of tested) if (!told.has(name)) faults.push(`"${name}" is tested, and not in the table`);
for (const name of told) if (!tested.includes(name)) faults.push(`"${name}" is in the table, and not tested`);
reportTestTable(file, { ...table, faults });
