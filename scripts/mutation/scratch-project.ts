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
  /** Compiles and runs one test file. Code that does not compile is `invalid`. */
  runTests(file: string, options: { viaIr: boolean }): Promise<MutantOutcome>;
  remove(): Promise<void>;
}

/** A mutant that makes the tests run for longer than this is noticed by anyone. */
const TIMEOUT_MS = 240_000;

/** Speed matters more than gas here, so nothing is optimised. */
const CONFIG = `
import { defineConfig } from 'hardhat/config';
import base from './base.config.ts';
const { compilers } = base.solidity as { compilers: object[] };
const settings = { evmVersion: 'cancun', viaIR: process.env.MUTATION_VIA_IR === '1', optimizer: { enabled: false } };
const { solidity } = base.test ?? {};
export default defineConfig({
  ...base,
  solidity: { compilers: compilers.map((compiler) => ({ ...compiler, settings })) as never },
  test: { solidity: { ...solidity, fuzz: { ...solidity?.fuzz, runs: 64 }, invariant: { ...solidity?.invariant, runs: 4 } } },
});
`;

/** Makes a scratch project; `remove` MUST be called. */
export async function createScratchProject(): Promise<ScratchProject> {
  const folder = await mkdtemp(join(tmpdir(), 'autopay-mutants-'));
  for (const part of [
    'contracts',
    'test/contracts',
    'protocol/vectors',
    'scripts/tooling/soljson.cjs',
    'package.json',
    'tsconfig.json',
  ]) {
    await cp(join(root, part), join(folder, part), { recursive: true });
  }
  await cp(join(root, 'hardhat.config.ts'), join(folder, 'base.config.ts'));
  await writeFile(join(folder, 'hardhat.config.ts'), CONFIG);
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  return {
    write: (file, text) => writeFile(join(folder, file), text),
    runTests: (file, { viaIr }) => runHardhat(folder, file, viaIr),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function runHardhat(folder: string, file: string, viaIr: boolean): Promise<MutantOutcome> {
  const child = spawn(process.execPath, [binOf('hardhat', 'hardhat'), 'test', 'solidity', file], {
    cwd: folder,
    env: { ...process.env, MUTATION_VIA_IR: viaIr ? '1' : '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const take = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-20_000));
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const timeout = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  return new Promise<MutantOutcome>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve('survived');
      else resolve(/HHE9\d\d|CompilerError|Compilation failed/.test(output) ? 'invalid' : 'killed');
    });
  }).finally(() => clearTimeout(timeout));
}
