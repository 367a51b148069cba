/**
 * `npm run invariants`: runs the invariants of the contracts, and tells how often each handler was called, and reverted.
 * `-- --markdown` writes the tables in docs/CONTRACT_TESTS.md.
 */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import hre from 'hardhat';
import { countCalls, describeCalls, type InvariantSuite } from './invariants/count-calls.ts';
import { root } from './tooling/run-command.ts';
import { writeSection } from './tooling/write-section.ts';

const { values } = parseArgs({ options: { markdown: { type: 'boolean', default: false } } });
const testFiles = globSync('test/contracts/invariants/*.t.sol', { cwd: root }).toSorted();
// The tests deploy artifacts of the contracts, which the run of some test files alone does not build.
await hre.tasks.getTask('build').run({ noTests: true });
const result = (await hre.tasks.getTask(['test', 'solidity']).run({ testFiles })) as {
  success: boolean;
  value?: { suiteResults: InvariantSuite[] };
  error?: { suiteResults: InvariantSuite[] };
};
const suites = result.value?.suiteResults ?? result.error?.suiteResults ?? [];
if (suites.length < testFiles.length) throw new Error(`only ${suites.length} suites of ${testFiles.length} files ran`);
const tables = describeCalls(countCalls(suites));
process.stdout.write(`\n${tables.join('\n\n')}\n`);
if (values.markdown && result.success) await writeSection(join(root, 'docs/CONTRACT_TESTS.md'), 'invariants', tables);
process.exitCode = result.success ? 0 : 1;
