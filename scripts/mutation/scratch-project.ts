import { spawn } from 'node:child_process';
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binOf, root } from '../tooling/run-command.ts';

/** How a test run over one mutant ended. */
export type MutantOutcome = 'killed' | 'survived' | 'invalid';

/** A copy of the contracts and their tests in which one file after another is changed. */
export interface ScratchProject {
  write(file: string, text: string): Promise<void>;
  /** Compiles the contracts as they are now; false if they do not compile. */
  build(): Promise<boolean>;
  /** Runs one test file over what was built. */
  runTests(file: string): Promise<MutantOutcome>;
  remove(): Promise<void>;
}

/** A mutant that makes the tests run for longer than this is noticed by anyone. */
const TIMEOUT_MS = 240_000;

/** Speed matters more than gas here, so nothing is optimised. */
const CONFIG = `
import { defineConfig } from 'hardhat/config';
import base from './base.config.ts';
const { compilers, npmFilesToBuild } = base.solidity as { compilers: object[]; npmFilesToBuild: string[] };
const settings = { evmVersion: 'cancun', viaIR: false, optimizer: { enabled: false } };
const { solidity } = base.test ?? {};
export default defineConfig({
  ...base,
  solidity: { compilers: compilers.map((compiler) => ({ ...compiler, settings })) as never, npmFilesToBuild },
  test: { solidity: { ...solidity, fuzz: { ...solidity?.fuzz, runs: 64 }, invariant: { ...solidity?.invariant, runs: 4 } } },
});
`;

/** Makes a scratch project; `remove` MUST be called. */
export async function createScratchProject(): Promise<ScratchProject> {
  const folder = await mkdtemp(join(tmpdir(), 'autopay-mutants-'));
  const parts = ['contracts', 'test/contracts', 'protocol/vectors', 'scripts/tooling', 'package.json', 'tsconfig.json'];
  for (const part of parts) await cp(join(root, part), join(folder, part), { recursive: true });
  await cp(join(root, 'hardhat.config.ts'), join(folder, 'base.config.ts'));
  await writeFile(join(folder, 'hardhat.config.ts'), CONFIG);
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  return {
    write: (file, text) => writeFile(join(folder, file), text),
    build: async () => (await runHardhat(folder, ['build', '--no-tests', '--quiet'])) === 0,
    runTests: async (file) => ((await runHardhat(folder, ['test', 'solidity', file])) === 0 ? 'survived' : 'killed'),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Runs Hardhat and answers its exit code; 1 for a run that had to be ended. */
function runHardhat(folder: string, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [binOf('hardhat', 'hardhat'), ...args], { cwd: folder, stdio: 'ignore' });
  const timeout = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  return new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  }).finally(() => clearTimeout(timeout));
}
