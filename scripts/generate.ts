/**
 * `npm run generate`: writes what is generated from other files. `--check` writes nothing and fails if one is stale; gas
 * snapshots are then left to `npm test`, which measures them anyway.
 */
import { root, binOf, runCommand } from './tooling/run-command.ts';
import { join } from 'node:path';

const isCheck = process.argv.includes('--check');

const scripts = ['complete-lockfile', 'generate-abis', 'generate-vectors', 'generate-error-table'];
const commands = scripts.map((name) => [join(root, `scripts/${name}.ts`), ...(isCheck ? ['--check'] : [])]);
if (!isCheck) commands.push([binOf('hardhat', 'hardhat'), 'test', 'solidity', '--snapshot']);

for (const args of commands) {
  const { code } = await runCommand(args, { isShown: true });
  if (code !== 0) process.exitCode = 1;
}
