/** Writes the table of error codes into docs/PROTOCOL.md, between its markers. `--check` fails if it differs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { errorCodes, type ErrorCode } from '../protocol/errors/error-codes.ts';
import { problemTypeOf } from '../protocol/mpp/problem-types.ts';

const file = new URL('../docs/PROTOCOL.md', import.meta.url);
const begin = '<!-- error-codes:begin -->';
const end = '<!-- error-codes:end -->';

const rows = Object.entries(errorCodes).map(([code, { status, type }]) => {
  const types = ['session', 'charge'].map((intent) => problemTypeOf(code as ErrorCode, intent));
  const problems = [...new Set(types)].filter((problem) => problem !== 'about:blank');
  return `| \`${code}\` | ${status} | \`${type}\` | ${problems.map((problem) => `\`${problem}\``).join(', ')} |`;
});
const table = [
  '| code | status | `type` | RFC 9457 problem type (`evm/session`, `evm/charge`) |',
  '| --- | --- | --- | --- |',
  ...rows,
].join('\n');

const current = readFileSync(file, 'utf8');
const [before, rest] = current.split(begin);
const after = rest?.split(end)[1];
if (before === undefined || after === undefined) throw new Error(`docs/PROTOCOL.md lacks ${begin} … ${end}`);
const options = { ...(await resolveConfig(file)), parser: 'markdown' };
const wanted = await format(`${before}${begin}\n\n${table}\n\n${end}${after}`, options);

if (!process.argv.includes('--check')) {
  writeFileSync(file, wanted);
} else if (current !== wanted) {
  process.stderr.write('docs/PROTOCOL.md is stale: run "npm run generate".\n');
  process.exitCode = 1;
}
