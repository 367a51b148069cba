/**
 * `npm run generate`: writes what is generated from other files. `--check` writes nothing and fails if one is stale; the
 * contracts' sizes are then left to `npm run check`, and their gas snapshots to `npm test`, which look at them anyway.
 */
import { join } from 'node:path';
import { binOf, root, runCommand } from './tooling/run-command.ts';

const isCheck = process.argv.includes('--check');

const scripts = [
  'complete-lockfile',
  'generate-abis',
  'generate-vectors',
  'generate-error-table',
  'generate-configuration',
  'generate-lies',
];
const commands = scripts.map((name) => [join(root, `scripts/${name}.ts`), ...(isCheck ? ['--check'] : [])]);
if (!isCheck) {
  commands.push([join(root, 'scripts/check-contracts.ts'), '--update']);
  commands.push([binOf('hardhat', 'hardhat'), 'test', 'solidity', '--snapshot']);
}

for (const args of commands) {
  const { code } = await runCommand(args, { isShown: true });
  if (code !== 0) process.exitCode = 1;
}
