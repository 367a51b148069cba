/**
 * Measures which lines of the contracts the Solidity tests reach, and fails below 99 % for any of them.
 * Branches are measured more strictly by scripts/mutate-contracts.ts: each condition is forced both ways.
 *
 * The instrumented contracts are built in a folder of their own, which goes: the ordinary ones stay as they are, however
 * this ends.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binOf, root, runCommand, type CommandResult } from './tooling/run-command.ts';

const LEAST_PERCENT = 99;

const run = await measure();
const report = await readFile(join(root, 'coverage/lcov.info'), 'utf8');
const low: string[] = [];
let found = 0;
let hit = 0;
for (const record of report.split('end_of_record')) {
  const file = /^SF:(.*)$/m.exec(record)?.[1];
  if (file === undefined || !file.startsWith('contracts/')) continue;
  const lines = [...record.matchAll(/^DA:\d+,(\d+)$/gm)].map((match) => Number(match[1]));
  const reached = lines.filter((count) => count > 0).length;
  found += lines.length;
  hit += reached;
  const percent = (100 * reached) / lines.length;
  if (percent < LEAST_PERCENT) low.push(`${file}: ${percent.toFixed(2)} %`);
}
process.stdout.write(`\n${hit} of ${found} lines (${((100 * hit) / found).toFixed(2)} %)\n`);
for (const line of low) process.stdout.write(`below ${LEAST_PERCENT} %: ${line}\n`);
process.exitCode = run.code !== 0 || low.length > 0 || found === 0 ? 1 : 0;

/** Writes coverage/lcov.info. */
async function measure(): Promise<CommandResult> {
  const folder = await mkdtemp(join(tmpdir(), 'autopay-coverage-'));
  // A report of an earlier run must not stand for one that failed.
  await rm(join(root, 'coverage/lcov.info'), { force: true });
  try {
    const command = [binOf('hardhat', 'hardhat'), 'test', 'solidity', '--coverage'];
    return await runCommand(command, { isShown: true, env: { AUTOPAY_BUILD_FOLDER: folder } });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
