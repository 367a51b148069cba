/** Writes the table of lies and its tests into docs/LIES.md, between its markers. `--check` fails if it differs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { lieTable } from '../test/audit/lie-table.ts';

const file = new URL('../docs/LIES.md', import.meta.url);
const begin = '<!-- lies:begin -->';
const end = '<!-- lies:end -->';

const tests = [...new Set(lieTable.flatMap(({ caught }) => caught.map(({ test }) => test)))];
const numberOf = (test: string): string => `[${tests.indexOf(test) + 1}]`;
const rows = lieTable.map(({ lie, caught, payer }) => {
  const catches = caught.map(({ by, words, test }) => `${by}: “${words}” ${numberOf(test)}`).join('<br>');
  return `| ${lie} | ${payer} | ${catches} |`;
});
const listed = tests.map((test, i) => {
  const [path = '', name = ''] = test.split(/: (.*)/s);
  return `${i + 1}. \`${path}\`: ${name}`;
});
const text = [
  '| the relay … | the payer gets | caught by, in which words |',
  '| --- | --- | --- |',
  ...rows,
  '',
  '## The tests',
  '',
  ...listed,
].join('\n');

const current = readFileSync(file, 'utf8');
const [before, rest] = current.split(begin);
const after = rest?.split(end)[1];
if (before === undefined || after === undefined) throw new Error(`docs/LIES.md lacks ${begin} … ${end}`);
const options = { ...(await resolveConfig(file)), parser: 'markdown' };
const wanted = await format(`${before}${begin}\n\n${text}\n\n${end}${after}`, options);

if (!process.argv.includes('--check')) {
  writeFileSync(file, wanted);
} else if (current !== wanted) {
  process.stderr.write('docs/LIES.md is stale: run "npm run generate".\n');
  process.exitCode = 1;
}
