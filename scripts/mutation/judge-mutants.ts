import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../tooling/run-command.ts';
import { CompileError, compileContracts, readSource, type CompiledContract } from './compile-contracts.ts';
import { createTestRunner, isSuite, type RunSuites } from './run-suites.ts';
import type { MutationTarget } from './targets.ts';

/** How a mutant ended: some test fails, none does, or it does not compile. */
export type MutantOutcome = 'killed' | 'survived' | 'invalid';

/** What was found out about one mutant. */
export interface Verdict {
  outcome: MutantOutcome;
  /** The test that failed, and how. */
  by?: string;
}

/** Judges one changed source of a target after another. */
export type JudgeMutant = (target: MutationTarget, text: string) => Promise<Verdict>;

interface Project {
  run: RunSuites;
  /** Everything as it is without any mutant, by file. */
  compiled: ReadonlyMap<string, readonly CompiledContract[]>;
}

/**
 * Compiles the contracts and the tests of some targets once, and keeps them. A mutant then costs one compilation of the
 * contracts that contain its code, and the runs of the tests until one fails.
 */
export async function createJudge(targets: readonly MutationTarget[]): Promise<JudgeMutant> {
  // The governor's tests deploy OpenZeppelin's own timelock as it is.
  const files = ['@openzeppelin/contracts/governance/TimelockController.sol'];
  files.push(...globSync('contracts/**/*.sol', { cwd: root }));
  files.push(...targets.flatMap(({ tests }) => tests.flatMap(testFilesOf)));
  const contracts = compileContracts(new Map(files.map((file) => [file, ['*']])));
  const project = { run: await createTestRunner(), compiled: Map.groupBy(contracts, ({ source }) => source) };
  return (target, text) => judge(project, target, text);
}

async function judge(project: Project, target: MutationTarget, text: string): Promise<Verdict> {
  const wanted = contractsWith(project, target);
  if (wanted.size === 0) throw new Error(`nothing that is deployed or tested contains ${target.source}`);
  const mutated = new Map<string, CompiledContract>();
  try {
    for (const contract of compileContracts(wanted, { [target.source]: text })) mutated.set(keyOf(contract), contract);
  } catch (error) {
    if (error instanceof CompileError) return { outcome: 'invalid' };
    throw error;
  }
  const contracts = [...project.compiled.values()].flat().map((contract) => mutated.get(keyOf(contract)) ?? contract);
  for (const file of target.tests) {
    const suites = contracts.filter((contract) => contract.source === file && isSuite(contract));
    const by = await project.run(suites, contracts);
    if (by !== undefined) return { outcome: 'killed', by };
  }
  return { outcome: 'survived' };
}

/**
 * What has to be compiled anew for a mutant of a source: the contracts that contain its code, which tests deploy by their
 * artifacts, and the target's test files that use it themselves (libraries), by themselves or by what they deploy.
 */
function contractsWith({ compiled }: Project, { source, tests }: MutationTarget): Map<string, string[]> {
  const contains = ({ origins }: CompiledContract): boolean => origins.has(source);
  const wanted = new Map<string, string[]>();
  for (const [file, contracts] of compiled) {
    if (file.startsWith('test/')) continue;
    const names = contracts.filter(contains).map(({ name }) => name);
    if (names.length > 0) wanted.set(file, names);
  }
  for (const test of tests) {
    const files = testFilesOf(test);
    if (files.some((file) => compiled.get(file)?.some(contains))) for (const file of files) wanted.set(file, ['*']);
  }
  return wanted;
}

/** A test file and what it imports of the test folder. */
function testFilesOf(file: string): string[] {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name) || !name.startsWith('test/')) return;
    found.add(name);
    for (const [, path = ''] of readSource(name).matchAll(/^import [^;]*?"([^"]+)";/gms)) {
      if (path.startsWith('.')) visit(join(dirname(name), path));
    }
  };
  visit(file);
  return [...found];
}

function keyOf({ source, name }: CompiledContract): string {
  return `${source}:${name}`;
}
